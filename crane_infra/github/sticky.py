"""One comment on a pull request, and one open issue: written again in place instead of a second time.

They are found by a mark at their beginning and by their author. Prevents a stranger's comment with the same mark from being taken for ours: who
wrote a comment can change it later.
"""

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from crane_infra.github.client import Github

BOT = "github-actions[bot]"
_LIMIT = 65_000  # characters; GitHub takes 65536
_CUT = "\n\n… cut here; the run has the rest."
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def put_comment(github: Github, pull: int, mark: str, text: str, author: str = BOT) -> str:
    """Write the comment with this mark on a pull request, anew or in place of the one before; gives its address. Raises GithubError."""
    body = {"body": _marked(mark, text)}
    mine = next((one for one in github.every(f"/issues/{pull}/comments") if _is_mine(one, mark, author)), None)
    if mine is not None:
        return str(github.send("PATCH", f"/issues/comments/{mine['id']}", body)["html_url"])
    return str(github.send("POST", f"/issues/{pull}/comments", body)["html_url"])


def put_issue(github: Github, mark: str, title: str, text: str, author: str = BOT) -> str:
    """Open the issue with this mark, or write the one that is open again; gives its address. Raises GithubError."""
    mine, body = _open_issue(github, mark, author), {"title": title, "body": _marked(mark, text)}
    if mine is not None:
        return str(github.send("PATCH", f"/issues/{mine['number']}", body)["html_url"])
    return str(github.send("POST", "/issues", body)["html_url"])


def close_issue(github: Github, mark: str, author: str = BOT) -> str | None:
    """Close the issue with this mark, if one is open; gives its address. Raises GithubError."""
    mine = _open_issue(github, mark, author)
    if mine is None:
        return None
    return str(github.send("PATCH", f"/issues/{mine['number']}", {"state": "closed", "state_reason": "completed"})["html_url"])


def quoted(texts: Mapping[str, str]) -> str:
    """What commands printed, each under its name, in fences that the text cannot end; colours are taken out."""
    parts = []
    for name, text in texts.items():
        plain = _ANSI.sub("", text).strip()
        fence = "`" * (max([2, *(len(list(run)) for tick, run in groupby(plain) if tick == "`")]) + 1)
        parts.append(f"### {name}\n\n{fence}text\n{plain or 'nothing'}\n{fence}")
    return "\n\n".join(parts)


def _open_issue(github: Github, mark: str, author: str) -> dict[str, Any] | None:
    opened = github.every("/issues", state="open", creator=author)
    return next((one for one in opened if "pull_request" not in one and _is_mine(one, mark, author)), None)


def _is_mine(one: Mapping[str, Any], mark: str, author: str) -> bool:
    return (one.get("user") or {}).get("login") == author and str(one.get("body") or "").startswith(_first_line(mark))


def _marked(mark: str, text: str) -> str:
    plain = text.strip()
    whole = f"{plain}\n" if plain.startswith(_first_line(mark)) else f"{_first_line(mark)}\n{plain}\n"
    return whole if len(whole) <= _LIMIT else whole[:_LIMIT] + _CUT


def _first_line(mark: str) -> str:
    return f"<!-- {mark} -->"
