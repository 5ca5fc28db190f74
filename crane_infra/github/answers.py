"""What GitHub answers, as far as it is read. Anything else in an answer may be anything; a field of another type makes it unreadable."""

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


class _User(_Part):
    login: str


class Note(_Part):
    """What somebody wrote."""

    user: _User | None = None
    body: str | None = None


class Comment(Note):
    """A comment."""

    id: int


class Issue(Note):
    """An issue, or a pull request."""

    number: int
    pull_request: Any = None


class Written(_Part):
    """What was written, by its address."""

    html_url: str


class _Run(_Part):
    head_sha: str | None = None
    head_repository_id: int | None = None
    repository_id: int | None = None


class Artifact(_Part):
    """An artifact of a run."""

    id: int
    expired: bool
    workflow_run: _Run | None = None


class Asset(_Part):
    """A file of a release."""

    id: int
    name: str


class Release(_Part):
    """The release of a tag."""

    upload_url: str
    assets: list[Asset] = []


class _Commit(_Part):
    sha: str


class Branch(_Part):
    """A branch, by its newest commit."""

    commit: _Commit


class Refusal(_Part):
    """Why GitHub refused a call."""

    message: str


COMMENTS, ISSUES, WRITTEN = TypeAdapter(list[Comment]), TypeAdapter(list[Issue]), TypeAdapter(Written)
BRANCH = TypeAdapter(Branch)
ARTIFACTS, RELEASE, RELEASES = TypeAdapter(list[Artifact]), TypeAdapter(Release), TypeAdapter(list[Release])
