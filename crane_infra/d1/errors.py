"""How a call to Cloudflare's API can fail, by what is known about its effect.

    ApiError
    ├── RefusedError            the API refused the call: nothing was done
    │   ├── DeniedError         the token was not accepted, or may not do this: nothing was tried
    │   ├── NotFoundError       what the call asks for does not exist: the API says so itself
    │   ├── RolledBackError     D1 ran the statements of a write until one failed, and undid them all
    │   └── RateLimitedError    too many calls: nothing was done, try later
    │       └── BusyError       an import or an export blocks the database
    ├── NoAnswerError           no usable answer
    │   └── WriteOutcomeUnknown a write may or may not have been done: read, then decide
    └── PartialWriteError       the API reports success, but not for every statement

A missing reply does not mean that nothing was done. A write that was sent again on that assumption could lose data.
"""

from crane_infra.errors import ApiError

LONGEST_WAIT = 60.0
"""The longest Retry-After that is obeyed, in seconds; an exhausted token gets 300, and nobody waits that long unasked."""
OUTAGE = "Try again; cloudflarestatus.com lists known outages"
WAIT = "Wait, then run the same command again"
RERUN = "Run the same command again: it first reads what was done and does not repeat it"


class RefusedError(ApiError):
    """The API refused the call; it had no effect. ``codes`` are Cloudflare's, as far as the reply names any."""

    codes: frozenset[str] = frozenset()


class DeniedError(RefusedError):
    """The token was not accepted, or lacks a permission."""


class RolledBackError(RefusedError):
    """A statement of a write failed, so D1 undid the whole write."""


class NotFoundError(RefusedError):
    """The API says that what the call asks for does not exist. No other 404 is one."""


class RateLimitedError(RefusedError):
    """Too many calls; ``retry_after`` is in seconds, None where the API gives no time."""

    def __init__(self, where: str, what: str, todo: str, retry_after: float | None) -> None:
        super().__init__(where, what, todo)
        self.retry_after = retry_after

    @property
    def asks_too_long(self) -> bool:
        """Whether the wait is longer than ``LONGEST_WAIT``."""
        return (self.retry_after or 0) > LONGEST_WAIT


class BusyError(RateLimitedError):
    """An import or an export blocks the database, for an unknown time."""


class NoAnswerError(ApiError):
    """The connection broke, the API failed, or the reply is not one of the API."""


class WriteOutcomeUnknown(NoAnswerError):  # noqa: N818 - it names an outcome, not a fault
    """A write was sent and its outcome is unknown."""


class PartialWriteError(ApiError):
    """The reply reports success, but a statement failed or has no result; ``statement`` is its index, from 0."""

    def __init__(self, where: str, what: str, todo: str, statement: int) -> None:
        super().__init__(where, what, todo)
        self.statement = statement
