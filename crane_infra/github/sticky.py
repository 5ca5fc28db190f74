"""One comment on a pull request, and one open issue: the next text replaces the last one instead of adding to it.

They are found by a mark in their first line and by their author: anybody can copy the mark, and whoever writes a comment can change it later.
"""

from collections.abc import Mapping
from typing import Any

from crane_infra.github.client import Github

BOT = "github-actions[bot]"
_LIMIT = 65_000  # characters; GitHub takes 65536
_CUT = "\n\n… cut here. The log of the run has the rest."


def put_comment(github: Github, pull: int, mark: str, text: str, author: str = BOT) -> str:
    """Write the comment with this mark on a pull request, in place of the last one; returns its address. Raises GithubError."""
    body = {"body": _marked(mark, text)}
    mine = next((comment for comment in github.every(f"/issues/{pull}/comments") if _is_mine(comment, mark, author)), None)
    if mine is not None:
        return str(github.send("PATCH", f"/issues/comments/{mine['id']}", body)["html_url"])
    return str(github.send("POST", f"/issues/{pull}/comments", body)["html_url"])


def put_issue(github: Github, mark: str, title: str, text: str, author: str = BOT) -> str:
    """Open the issue with this mark, or replace the text of the open one; returns its address. Raises GithubError."""
    mine, body = _open_issue(github, mark, author), {"title": title, "body": _marked(mark, text)}
    if mine is not None:
        return str(github.send("PATCH", f"/issues/{mine['number']}", body)["html_url"])
    return str(github.send("POST", "/issues", body)["html_url"])


def close_issue(github: Github, mark: str, author: str = BOT) -> str | None:
    """Close the issue with this mark; returns its address, None where none is open. Raises GithubError."""
    mine = _open_issue(github, mark, author)
    if mine is None:
        return None
    return str(github.send("PATCH", f"/issues/{mine['number']}", {"state": "closed", "state_reason": "completed"})["html_url"])


def _open_issue(github: Github, mark: str, author: str) -> dict[str, Any] | None:
    issues = github.every("/issues", state="open", creator=author)
    return next((issue for issue in issues if "pull_request" not in issue and _is_mine(issue, mark, author)), None)


def _is_mine(entry: Mapping[str, Any], mark: str, author: str) -> bool:
    return (entry.get("user") or {}).get("login") == author and str(entry.get("body") or "").startswith(_first_line(mark))


def _marked(mark: str, text: str) -> str:
    plain = text.strip()
    whole = f"{plain}\n" if plain.startswith(_first_line(mark)) else f"{_first_line(mark)}\n{plain}\n"
    return whole if len(whole) <= _LIMIT else whole[:_LIMIT] + _CUT


def _first_line(mark: str) -> str:
    return f"<!-- {mark} -->"
