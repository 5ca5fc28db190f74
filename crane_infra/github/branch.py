"""Whether a commit is still the newest one of a branch, by what GitHub says now: a run that is started again has the commit of the first time."""

from urllib.parse import quote

from crane_infra.errors import GithubError
from crane_infra.github.answers import BRANCH
from crane_infra.github.client import Github


def require_head(github: Github, commit: str, branch: str) -> None:
    """Check that ``commit`` is the head of a branch.

    Raises GithubError with both commits where it is not, and where GitHub fails.
    """
    head = github.get(BRANCH, f"/branches/{quote(branch, safe='')}").commit.sha
    if commit != head:
        what = f"is not the head of {branch}, which is {head[:12]}: deploying it would take the stack back. Nothing was changed"
        raise GithubError(
            f"commit {commit[:12]}", what, f"The newest run on {branch} deploys {head[:12]}; if there is none, start one there"
        )
