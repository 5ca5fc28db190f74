"""Whether a command exists, by what the program itself says: the real engine's help, the parser of crane, a dry run of make."""

import functools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from typer.testing import CliRunner

from crane_infra.cli.app import make_app
from tests.repository import ROOT

PATH = os.pathsep.join([str(ROOT / ".venv" / "bin"), str(ROOT / ".crane" / "engine" / "bin"), os.environ.get("PATH", "")])
BREAKS = {"|", "&&", ";", "||"}
REDIRECTIONS = {"<", ">", ">>"}
FLAG = re.compile(r"^ +(?:-(?P<short>\w), |    )?--(?P<long>[\w-]+)(?P<optional>\[\S+\])?(?: (?P<value>[a-z]\S*))?(?: {2,}|$)")


def commands(line: str) -> Iterator[list[str]]:
    """The words of each command in a shell line. A ``$(…)`` is a command as well; a <placeholder> is one word."""
    for inner in re.findall(r"\$\((.*)\)", line):
        yield from commands(inner)
    outer = re.sub(r"\$\(.*\)", "substituted", line)
    words: list[str] = []
    for word in shlex.split(re.sub(r"<([\w. ]+)>", lambda placeholder: placeholder[1].replace(" ", "-"), outer)):
        if word in BREAKS:
            yield words
            words = []
        elif words or not re.match(r"\w+=", word):
            words.append(word)
    if words:
        yield words[: next((place for place, word in enumerate(words) if word in REDIRECTIONS), len(words))]


def fault(words: list[str]) -> str | None:
    """What is wrong with a command of make, crane or pulumi; None for one that exists."""
    judge = {"make": _make, "crane": _crane, "pulumi": _pulumi}[words[0]]
    return judge(words[1:])


def _make(words: list[str]) -> str | None:
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    dry_run = subprocess.run(["make", "-n", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return dry_run.stderr.strip() if dry_run.returncode else None


def _crane(words: list[str]) -> str | None:
    """With ``--help``, a command still refuses words and options that it does not know."""
    result = CliRunner().invoke(make_app(words[0] if words else ""), [*words, "--help"])
    return result.output if result.exit_code else None


@dataclass(frozen=True)
class Help:
    """What the engine says about a command. ``flags`` maps each flag to whether a value follows it."""

    names: tuple[frozenset[str], ...]
    positional: bool
    is_group: bool
    flags: dict[str, bool] = field(default_factory=dict)


def _pulumi(words: list[str]) -> str | None:
    command, rest = _command(words)
    page = _help(command)
    if not command or (page.is_group and rest and not rest[0].startswith("-")):
        return f"no such command: pulumi {' '.join(words)}"
    positional, flags = [], iter(rest)
    for word in flags:
        if not word.startswith("-"):
            positional.append(word)
        elif (name := word.partition("=")[0]) not in page.flags:
            return f"pulumi {' '.join(command)} has no flag {name}"
        elif page.flags[name] and "=" not in word and next(flags, None) is None:
            return f"pulumi {' '.join(command)} {name} lacks its value"
    return f"pulumi {' '.join(command)} takes no {positional[0]}" if positional and not page.positional else None


def _command(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The longest beginning of ``words`` that the engine knows as a command, and the rest."""
    command: tuple[str, ...] = ()
    for word in words:
        longer = (*command, word)
        if word.startswith("-") or len((page := _help(longer)).names) != len(longer) or word not in page.names[-1]:
            break
        command = longer
    return command, words[len(command) :]


@functools.cache
def _help(command: tuple[str, ...]) -> Help:
    program = shutil.which("pulumi", path=PATH)
    assert program, "there is no engine: run make engine"
    environment = {**os.environ, "PATH": PATH, "PULUMI_SKIP_UPDATE_CHECK": "1", "COLUMNS": "200"}
    help_command = [program, *command, "--help"]
    text = subprocess.run(help_command, env=environment, capture_output=True, text=True, check=True).stdout
    usage = re.search(r"^Usage:\n((?:  .*\n)+)", text, re.MULTILINE)
    assert usage, text
    forms = [line.split()[1:] for line in usage[1].splitlines()]
    names = [frozenset({word}) for word in forms[0] if re.fullmatch(r"[a-z-]+", word)]
    if aliases := re.search(r"^Aliases:\n  (.*)$", text, re.MULTILINE):
        names[-1] |= frozenset(aliases[1].split(", "))
    positional = any(word[0] in "[<" and word not in ("[flags]", "[command]", "[--]") for form in forms for word in form)
    shown = [match for line in text.splitlines() if (match := FLAG.match(line))]
    takes_value = {
        flag["long"]: bool(flag["value"]) and "[=" not in flag["value"] for flag in shown
    }  # --refresh string[="true"] needs none
    flags = {f"--{flag['long']}": takes_value[flag["long"]] for flag in shown}
    flags |= {f"-{flag['short']}": takes_value[flag["long"]] for flag in shown if flag["short"]}
    return Help(tuple(names), positional, "Available Commands:" in text, flags)
