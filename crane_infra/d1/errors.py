"""How a call to D1 can fail, told apart by what is known about its effect.

    ApiError
    ├── RefusedError            the API said no: nothing was done
    │   └── RateLimitedError    not now: nothing was done, and when to come back
    │       └── BusyError       an import or an export holds the database
    ├── NoAnswerError           no answer that can be trusted
    │   └── WriteOutcomeUnknown a write may or may not have been done: read, then decide
    └── PartialWriteError       the API said yes, but not for every statement

Prevents the one mistake that loses data: taking "no reply" for "not done" and sending a write again.
"""

from crane_infra.errors import ApiError

LONGEST_WAIT = 60.0
"""The longest Retry-After that is obeyed, in seconds; an exhausted token gets 300, and nobody waits that long unasked."""


class RefusedError(ApiError):
    """The API refused the call; it had no effect."""


class RateLimitedError(RefusedError):
    """Too many calls; ``retry_after`` is in seconds, None where the API does not say."""

    def __init__(self, where: str, what: str, todo: str, retry_after: float | None) -> None:
        super().__init__(where, what, todo)
        self.retry_after = retry_after

    @property
    def asks_too_long(self) -> bool:
        """Whether the wait is longer than ``LONGEST_WAIT``."""
        return (self.retry_after or 0) > LONGEST_WAIT


class BusyError(RateLimitedError):
    """An import or an export holds the database; it takes as long as it takes."""


class NoAnswerError(ApiError):
    """The connection broke, the API failed, or what came back is no answer of the API."""


class WriteOutcomeUnknown(NoAnswerError):  # noqa: N818 - it names an outcome, not a fault
    """A write was sent and its outcome is not known."""


class PartialWriteError(ApiError):
    """The reply says success, but a statement failed or has no result; ``statement`` is its index, from 0."""

    def __init__(self, where: str, what: str, todo: str, statement: int) -> None:
        super().__init__(where, what, todo)
        self.statement = statement
