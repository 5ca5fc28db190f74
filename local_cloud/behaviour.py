"""How the local cloud behaves where production's behaviour is uncertain or slow: switches that tests and users set while it runs.

The defaults are the strictest: where production is uncertain, they assume the worst case. A restart resets them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from local_cloud.workers.observability import ShownFields

OUTSIDE_CALLS = frozenset({"provider_pause_factor"})
"""The switches that no handler of a call reads."""


class Behaviour(BaseModel):
    """The switches; an unknown one raises ValidationError."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    propagation_seconds: float = 0.0
    """How long the edge keeps serving the previous deployment."""
    propagation_mixes: bool = False
    """During that time each request may meet either deployment, as in field reports (vinext 3038), and not always the previous one."""
    ignores_version_overrides: bool = False
    """The edge ignores the header that names a version, as one open report says of workers.dev (vinext 2592)."""
    invocations_lag_seconds: NonNegativeFloat = 60.0
    """How long GraphQL does not know of an invocation yet."""
    invocations_one_in: PositiveInt = 1
    """GraphQL sees one of so many invocations, and lets it stand for all of them."""
    invocations_missing: bool = False
    """GraphQL has no data about invocations."""
    invocations_by_version: bool = True
    """GraphQL knows the field ``scriptVersion``, which is not documented."""
    splits_inside_triggers: bool = True
    """``/query`` ends a statement at each ``;`` of any trigger's body (workers-sdk 10998, 15690; 15178 was closed without a reproduction)."""
    splits_inside_crlf_triggers: bool = True
    """The same, only where the trigger has CRLF line endings (workers-sdk 14991)."""
    splits_inside_lowercase_triggers: bool = True
    """The same, only where ``BEGIN`` is not in capitals (workers-sdk 15314)."""
    splits_inside_case_triggers: bool = True
    """The same, only where the body has a ``CASE … END`` (workers-sdk 4951; field reports of 7500 in 2026 disappeared without it)."""
    splits_inside_quotes: bool = True
    """``/query`` ends a statement at a ``;`` in a string or a quoted name (workers-sdk 2366, of 2022; uncertain today)."""
    splits_inside_comments: bool = False
    """The same in a comment. Off: ledgers of public projects list files of that kind, which wrangler applied to production in one piece."""
    atomic_batches: bool = True
    """A request to ``/query`` is one transaction; when off, each statement is its own transaction."""
    query_seconds: PositiveFloat = 30.0
    """How long a request to ``/query`` may take; then D1 resets and answers 7429."""
    polls_until_done: NonNegativeInt = 0
    """How many times an import or an export reports that it is active, and blocks its database, before it reports that it is done."""
    worker_observability: ShownFields = "complete"
    """What the workers routes return of a worker's observability: ``complete``, every field, as reports on production show it
    (terraform-provider-cloudflare 7155, 7197); ``as-stored``, only what somebody sent, for example the few fields of wrangler;
    ``without-defaults``, never ``logs.persist`` and ``traces``, for which the official provider has defaults."""
    names_service_environment: bool = False
    """Replies have ``environment: production`` in each service binding, though nobody sent it."""
    reverses_bindings: bool = False
    """Replies list the bindings of a version in the reverse order."""
    provider_pause_factor: NonNegativeFloat = 1.0
    """How long the stand-in provider waits before it sends a failed call again, as a multiple of the official provider's pauses; 0: not at all."""
