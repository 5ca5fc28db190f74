"""How the local cloud behaves where production is unsure or slow: switches that tests and users set while it runs.

The defaults are the strictest: what is unsure about production is assumed against us. A restart brings them back.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat


class Behaviour(BaseModel):
    """The switches; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    propagation_seconds: float = 0.0
    """How long the edge goes on with the former deployment."""
    splits_inside_triggers: bool = True
    """``/query`` ends a statement at each ``;`` of any trigger's body (workers-sdk 10998, 15690; 15178 was closed without a file)."""
    splits_inside_crlf_triggers: bool = True
    """The same, only where the trigger has CRLF line ends (workers-sdk 14991)."""
    splits_inside_lowercase_triggers: bool = True
    """The same, only where the body begins with ``begin`` in other letters than capitals (workers-sdk 15314)."""
    splits_inside_case_triggers: bool = True
    """The same, only where the body has a ``CASE … END`` (workers-sdk 4951 saw it; 2026 field reports of 7500 went away without it)."""
    splits_inside_quotes: bool = True
    """``/query`` ends a statement at a ``;`` in a string, a quoted name or a comment (workers-sdk 2366, of 2022; unsure today)."""
    atomic_batches: bool = True
    """A request to ``/query`` is one transaction; without it each statement is one of its own."""
    query_seconds: PositiveFloat = 30.0
    """How long a request to ``/query`` may take; then D1 is reset and answers 7429."""
    polls_until_done: NonNegativeInt = 0
    """How often an import or an export says that it is still active, and keeps the database blocked, before it says that it is done."""
