"""How the local cloud behaves where production is unsure or slow: switches that tests and users set while it runs.

The defaults are the strictest: what is unsure about production is assumed against us. A restart brings them back.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Behaviour(BaseModel):
    """The switches; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    propagation_seconds: float = 0.0
    """How long the edge goes on with the former deployment."""
    splits_inside_triggers: bool = True
    """``/query`` ends a statement at each ``;`` of a trigger's body (workers-sdk 10998)."""
    atomic_batches: bool = True
    """A request to ``/query`` is one transaction; without it each statement is one of its own."""
