"""One comment on a pull request, and one open issue: the next text replaces the last one instead of adding to it.

They are found by a mark in their first line and by their author: anybody can copy the mark, and whoever writes a comment can change it later.
"""

from crane_infra.github.answers import COMMENTS, ISSUES, WRITTEN, Note
from crane_infra.github.client import Github

BOT = "github-actions[bot]"
_LIMIT = 65_000  # characters; GitHub takes 65536
_CUT = "\n\n… cut here. The log of the run has the rest."


def put_comment(github: Github, pull: int, mark: str, text: str, author: str = BOT) -> str:
    """Write the comment with this mark on a pull request, in place of the last one; returns its address. Raises GithubError."""
    body = {"body": _marked(mark, text)}
    mine = next((comment for comment in github.every(COMMENTS, f"/issues/{pull}/comments") if _is_mine(comment, mark, author)), None)
    if mine is not None:
        return github.send(WRITTEN, "PATCH", f"/issues/comments/{mine.id}", body).html_url
    return github.send(WRITTEN, "POST", f"/issues/{pull}/comments", body).html_url


def put_issue(github: Github, mark: str, title: str, text: str, author: str = BOT) -> str:
    """Open the issue with this mark, or replace the text of the open one; returns its address. Raises GithubError."""
    mine, body = _open_issue(github, mark, author), {"title": title, "body": _marked(mark, text)}
    if mine is not None:
        return github.send(WRITTEN, "PATCH", f"/issues/{mine}", body).html_url
    return github.send(WRITTEN, "POST", "/issues", body).html_url


def close_issue(github: Github, mark: str, author: str = BOT) -> str | None:
    """Close the issue with this mark; returns its address, None where none is open. Raises GithubError."""
    mine = _open_issue(github, mark, author)
    if mine is None:
        return None
    return github.send(WRITTEN, "PATCH", f"/issues/{mine}", {"state": "closed", "state_reason": "completed"}).html_url


def _open_issue(github: Github, mark: str, author: str) -> int | None:
    """The number of the open issue."""
    issues = github.every(ISSUES, "/issues", state="open", creator=author)
    return next((issue.number for issue in issues if issue.pull_request is None and _is_mine(issue, mark, author)), None)


def _is_mine(note: Note, mark: str, author: str) -> bool:
    return note.user is not None and note.user.login == author and (note.body or "").startswith(_first_line(mark))


def _marked(mark: str, text: str) -> str:
    plain = text.strip()
    whole = f"{plain}\n" if plain.startswith(_first_line(mark)) else f"{_first_line(mark)}\n{plain}\n"
    return whole if len(whole) <= _LIMIT else whole[:_LIMIT] + _CUT


def _first_line(mark: str) -> str:
    return f"<!-- {mark} -->"
