"""The documents are true: the commands, settings and links that they show exist, and what they quote is what the program says."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from crane_infra import catalog
from crane_infra.config.infisical import InfisicalSettings
from crane_infra.config.settings import DatabaseSettings, Settings, WorkerSettings, parse
from crane_infra.errors import CraneError
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.stories import empty
from crane_infra.release.gate import RequiredProof, judge
from crane_infra.release.proof import PROOF_SCHEMA
from crane_infra.secrets.rules import fetch
from crane_infra.secrets.sources import ConfigSecrets
from local_cloud.server.app import table
from tests.docs import markdown
from tests.docs.commands import commands, fault
from tests.docs.markdown import CHANGELOG, DOCUMENTS, LOCAL, README, RUNBOOK, SETTINGS
from tests.repository import ROOT

CHECKED = {"make", "crane", "pulumi"}
COMMON = {"source", "eval", "export", "printf", "python3", "git", "npx"}
LANGUAGES = {"sh", "text", "python", "sql", "yaml", "json", "js", ""}
DECISIONS = ROOT / "docs" / "decisions"
SETTINGS_FILE = {"environment": "staging", "project": "crane-infra", "organization": "organization", "root": "."}
SHOWN = [words for path in DOCUMENTS for line in markdown.lines(path, "sh") for words in commands(line)]
WRITTEN = [
    words
    for path in DOCUMENTS
    for span in re.findall(r"`((?:make|crane|pulumi) [^`]+)`", path.read_text(encoding="utf-8"))
    for words in commands(span)
]


def those_that_begin(*beginnings: list[str]) -> list[list[str]]:
    """The commands that the documents show, each once, that begin in one of these ways."""
    different = dict.fromkeys(tuple(words) for words in SHOWN + WRITTEN)
    return [list(words) for words in different if any(list(words[: len(beginning)]) == beginning for beginning in beginnings)]


def known_settings() -> set[str]:
    """The settings that the program names when it refuses an unknown one."""
    with pytest.raises(CraneError) as refused:
        parse(SETTINGS_FILE, {"crane-infra:root": "x"}, {})
    return set(str(refused.value).partition("Known names: ")[2].rstrip(".").split(", "))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# Commands


@pytest.mark.parametrize("words", those_that_begin(["make"], ["crane"]), ids=" ".join)
def test_a_command_that_a_document_shows_exists(words: list[str]) -> None:
    assert fault(words) is None


@pytest.mark.engine
@pytest.mark.parametrize("words", those_that_begin(["pulumi"]), ids=" ".join)
def test_a_command_of_the_engine_that_a_document_shows_exists(words: list[str]) -> None:
    assert fault(words) is None


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert {words[0] for words in SHOWN if words} <= CHECKED | COMMON
    assert set().union(*(markdown.languages(path) for path in DOCUMENTS)) <= LANGUAGES
    assert {"make", "crane", "pulumi"} <= {words[0] for words in SHOWN if words}


@pytest.mark.parametrize(
    "line",
    [
        "make rehearsal",
        "crane local start",
        "crane local up --host x",
        "crane rehearse --port 1",
        *(
            pytest.param(line, marks=pytest.mark.engine)
            for line in (
                "pulumi",
                "pulumi upp",
                "pulumi up --stak staging",
                "pulumi stack nonsense",
                "pulumi refresh staging",
                "pulumi preview -s",
            )
        ),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    (words,) = commands(line)
    assert fault(words)


def test_pipes_substitutions_and_placeholders_are_read_as_the_shell_reads_them() -> None:
    assert list(commands('printf %s "$key" | pulumi config set --secret fingerprint-key')) == [
        ["printf", "%s", "$key"],
        ["pulumi", "config", "set", "--secret", "fingerprint-key"],
    ]
    assert list(commands('eval "$(crane local env)"')) == [["crane", "local", "env"], ["eval", "substituted"]]
    assert list(commands("pulumi config set account-id <account id>")) == [["pulumi", "config", "set", "account-id", "account-id"]]
    assert list(commands("pulumi config set x < <key.pem>")) == [["pulumi", "config", "set", "x"]]


def test_javascript_that_a_document_shows_is_that_of_a_reference_worker() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "workers").glob("*/dist/*.js")))
    assert [block for path in DOCUMENTS for block in markdown.blocks(path, "js") if block not in code] == []


# Settings


@pytest.mark.parametrize("words", those_that_begin(["pulumi", "config", "set"]), ids=" ".join)
def test_a_setting_that_a_document_sets_is_one_the_program_knows(words: list[str]) -> None:
    given = [word for before, word in pairwise(words) if before not in ("-s", "--stack")][2:]
    key, *inner = next(word for word in given if not word.startswith("-")).split(".")
    assert key.partition("[")[0] in known_settings()
    if key == "secrets" and inner != ["KEY"]:
        assert inner[0] in {secret.key for secret in catalog.crane().secrets}


def test_the_commands_for_a_real_account_set_every_required_secret() -> None:
    set_here = {word.removeprefix("secrets.") for words in SHOWN for word in words if word.startswith("secrets.")}
    assert {secret.key for secret in catalog.crane().secrets if secret.required} <= set_here


def test_the_settings_page_explains_every_setting_and_no_other() -> None:
    explained = [cells[0].strip("`") for cells in markdown.rows(SETTINGS)]
    inner = {
        f"{key}.<name>.{about.alias or field}"
        for key, model in (("databases", DatabaseSettings), ("workers", WorkerSettings))
        for field, about in model.model_fields.items()
    }
    below = {f"infisical.{field}" for field in InfisicalSettings.model_fields}
    assert set(explained) == known_settings() - {"shared-secrets"} | {"shared-secrets.<KEY>"} | inner | below
    assert len(explained) == len(set(explained))


def test_the_program_accepts_the_settings_that_a_document_shows_as_yaml() -> None:
    blocks = [yaml.safe_load(block) for path in DOCUMENTS for block in markdown.blocks(path, "yaml")]
    settings = [block["config"] for block in blocks if "config" in block]
    assert settings
    for config in settings:
        assert {key.removeprefix("crane-infra:") for key in config} <= known_settings()
        for database in config.get("crane-infra:databases", {}).values():
            DatabaseSettings.model_validate(database)


def test_the_settings_page_names_the_defaults_that_the_program_has() -> None:
    defaults = {cells[0].strip("`"): cells[2] for cells in markdown.rows(SETTINGS)}
    for name, field in Settings.model_fields.items():
        cell = defaults.get(name.replace("_", "-"))
        if cell is None or field.default in (None, ()):
            continue
        assert (cell == "none, must be set" or "CLOUDFLARE" in cell) if field.is_required() else cell == f"`{_shown(field.default)}`"


def _shown(default: object) -> str:
    """A default as a stack file has it."""
    return str(default).lower() if isinstance(default, bool) else str(default)


# What is quoted


def refusals() -> set[str]:
    """The refusals that the README quotes, as the program says them."""
    expected = RequiredProof(digest="d01dd561451d" + "0" * 52, project="crane-infra", account="10" * 16, proven_in="staging", manifest={})
    proof = {
        "schema": PROOF_SCHEMA,
        "project": "crane-infra",
        "environment": "staging",
        "account": expected.account,
        "digest": "4a8326e4d8ea" + "0" * 52,
        "manifest": {},
        "workers": {},
        "databases": {},
        "checks": {},
        "commit": None,
        "proven_at": "2026-01-01T00:00:00Z",
        "versions": {},
    }
    now = datetime(2026, 1, 2, tzinfo=UTC)
    secrets = catalog.crane().secrets
    source = ConfigSecrets("staging", {secret.key: "a value of its own" for secret in secrets if secret.key != "GEMINI_API_KEY"})
    complete = {"workers-subdomain": "s", "databases": "{}", "workers": "{}", "account-id": expected.account}
    with pytest.raises(CraneError) as no_folder:
        parse(SETTINGS_FILE, {f"crane-infra:{key}": value for key, value in complete.items()}, {"CLOUDFLARE_API_TOKEN": "t"})
    with pytest.raises(CraneError) as no_secret:
        fetch(source, secrets)
    errors = [judge({}, expected, now).error(), judge({"proofs": [proof]}, expected, now).error(), no_folder.value, no_secret.value]
    return {f"error: {error}" for error in errors}


def test_the_refusals_in_the_readme_are_those_of_the_program() -> None:
    quoted = [line for line in markdown.lines(README, "text") if line.startswith("error: ")]
    assert set(quoted) == refusals()


def test_the_steps_in_the_readme_are_those_of_the_rehearsal(tmp_path: Path) -> None:
    steps = empty.story(Stage(ROOT, tmp_path, catalog.crane()))
    titles = {f"{number}/{len(steps)} {step.title} …" for number, step in enumerate(steps, start=1)}
    shown = [line for line in markdown.lines(README, "text") if re.match(r"\d+/\d+ ", line)]
    assert shown
    assert [line for line in shown if line not in titles] == []


@pytest.mark.parametrize("quoted", markdown.lines(RUNBOOK, "text"))
def test_what_the_runbook_quotes_stands_in_the_program(quoted: str) -> None:
    """The parts between the ellipses; where a text is put together from parts, each part is looked for."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "crane_infra").rglob("*.py")))
    parts = [part.strip(" .():,") for part in re.split(r"…|\. |: | \(", quoted)]
    assert any(parts)
    assert [part for part in parts if part not in source] == []


def test_the_routes_of_the_local_cloud_are_all_listed() -> None:
    assert [cells[0].strip("`") for cells in markdown.rows(LOCAL)] == list(table())


def test_the_python_that_a_document_shows_compiles_and_names_a_route() -> None:
    shown = "\n".join(token.content for token in markdown.tokens(LOCAL) if token.info == "python")
    compile(shown, LOCAL, "exec")
    assert set(re.findall(r'fail\("([^"]+)"', shown)) <= set(table())
    assert "fail(" in shown


# Between the documents


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    for link in markdown.links(path):
        target, _, anchor = link.partition("#")
        if target.startswith("https://"):
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), link
        assert not anchor or anchor in markdown.anchors(there), link


def test_the_changelog_has_a_part_for_what_is_not_released() -> None:
    assert "unreleased" in markdown.anchors(CHANGELOG)


def test_every_decision_has_its_number_its_context_and_its_consequence() -> None:
    decisions = sorted(DECISIONS.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert [word for word in ("**Context.**", "**Decision.**", "**Consequence.**") if word not in text] == []


def test_every_decision_is_in_their_index_once() -> None:
    index = DECISIONS / "README.md"
    first_links = [re.fullmatch(r"\[(\d+)\]\((.+)\)", cells[0]) for cells in markdown.rows(index)]
    assert [link[2] for link in first_links if link] == [path.name for path in sorted(DECISIONS.glob("[0-9]*.md"))]
    assert [int(link[2][:4]) for link in first_links if link] == [int(link[1]) for link in first_links if link]


def test_every_page_is_one_click_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in markdown.links(README) if not link.startswith("https://")}
    pages = {CHANGELOG, *(ROOT / "docs").glob("*.md"), DECISIONS / "README.md", ROOT / "workers" / "README.md"}
    assert sorted(map(named, pages - linked)) == []


def test_commit_hooks_need_no_network() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)
