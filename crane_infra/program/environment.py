"""Declares one environment, from top to bottom: gate, databases, workers, schemas, routing, and the proof of the release."""

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.d1.api import keep_connections
from crane_infra.errors import CraneError
from crane_infra.program.announce.gate import pass_gate
from crane_infra.program.announce.plan import announce
from crane_infra.program.begin import stack_is_shown
from crane_infra.program.callbacks import start_callbacks
from crane_infra.program.exports import export
from crane_infra.program.last_outputs import Asked
from crane_infra.program.preparation import prepare
from crane_infra.program.resources import (
    declare_databases,
    declare_release,
    declare_routes,
    declare_schemas,
    declare_uploaded,
    declare_workers,
)
from crane_infra.program.threads import make_room

USER_WAS_TOLD = 32
ENGINE = ">=3.238.0"  # the first in which a failing after-hook fails the run


def declare(settings: Settings, catalog: Catalog, asked: Asked) -> None:
    """Declare the environment that ``settings`` describe; ``asked`` is what ``begin.begin`` has asked for.

    Raises a CraneError before the first resource where anything is wrong or the gate is closed.
    """
    make_room(catalog)
    stack_is_shown()
    start_callbacks()
    keep_connections()
    run = prepare(settings, catalog, asked)
    verdict = pass_gate(run)
    plan = announce(run, verdict)
    databases = declare_databases(run, plan)
    workers = declare_workers(run, plan, databases)
    uploaded = declare_uploaded(workers)
    schemas = declare_schemas(run, plan, databases, after=uploaded)
    routes = declare_routes(run, plan, verdict, workers, databases, after=schemas)
    release = declare_release(run, plan, workers, databases, after=[schemas, *routes])
    export(run, release)


def require_engine() -> None:
    """End the program before anything is declared where the engine is too old: an engine without hooks would run none of them."""
    pulumi.require_pulumi_version(ENGINE)


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Log an error that the user can fix as one line, and end the program.

    With Pulumi's own RunError the engine adds a line about an unhandled error. This exit code tells the language host that the user
    has seen the message (pulumi-language-python-exec: "an error message was displayed to the user").
    """
    try:
        yield
    except CraneError as error:
        pulumi.log.error(str(error))
        raise SystemExit(USER_WAS_TOLD) from None
