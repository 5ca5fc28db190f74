"""Judges one database: what is applied, what is pending, and why an update would refuse, if it would. Pure.

An update, the commands of ``crane migrations`` and a preview share this judgement, so they say the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from crane_infra.errors import MigrationError, together
from crane_infra.migrations.drift import AcceptedObjects, drift_of
from crane_infra.migrations.files.names import Order, order_of
from crane_infra.migrations.files.read import SchemaFiles, from_empty
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.judge import Examined, accepting, examine, refusal_of
from crane_infra.migrations.plan import Plan, make_plan
from crane_infra.migrations.table_costs import TableCosts
from crane_infra.migrations.unfinished import StartedNotDoneError


@dataclass(frozen=True)
class Judgement:
    """What an update would do with one database.

    ``examined`` are the pending files with what lint found. ``refusal`` is why an update would stop, a SchemaDiffersError where the live
    schema differs; ``not_compared`` is why it could not be compared, which stops nothing. ``in_use`` is as in ``SchemaFiles``. ``costs`` are lines
    on the rows that the pending files take, where the database was asked, and ``counted`` the numbers in them.
    """

    database: str
    ledger: Ledger
    plan: Plan
    examined: tuple[Examined, ...] = ()
    refusal: MigrationError | None = None
    not_compared: MigrationError | None = None
    in_use: bool = True
    costs: tuple[str, ...] = ()
    counted: tuple[TableCosts, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to do and nothing is refused."""
        return self.refusal is None and not self.plan.pending and not self.plan.adopt

    @property
    def needs_comparison(self) -> bool:
        """Whether files would run on the live schema, so that it has to be the one they were written for."""
        return self.refusal is None and bool(self.plan.pending)

    @property
    def findings(self) -> Iterator[Finding]:
        """What lint found in the pending files."""
        return (finding for examined in self.examined for finding in examined.findings)


def plan_for(database: str, schema: SchemaFiles, ledger: Ledger) -> Plan:
    """Plan what an update would do with ``schema``; raises MigrationError as ``make_plan`` does."""
    goes_on = schema.began_empty or (not schema.in_use and ledger.is_ours)  # from an empty database, in this run or a failed first one
    from_empty = goes_on or ledger.is_of_an_empty_database
    return make_plan(schema.files, ledger, database, base=schema.base, out_of_order=schema.out_of_order, from_empty=from_empty)


def judge(database: str, schema: SchemaFiles, ledger: Ledger) -> Judgement:
    """Judge the database called ``database`` by its files and its ledger alone."""
    try:
        plan = plan_for(database, schema, ledger)
    except MigrationError as refusal:
        return Judgement(database, ledger, Plan(), refusal=_with_findings(refusal, schema, ledger))
    in_use = schema.in_use or not ledger.is_ours
    examined = accepting(examine(from_empty(schema.files, schema.base), plan.pending, in_use=in_use), schema.accepted)
    return Judgement(database, ledger, plan, examined, refusal_of(examined), in_use=in_use)


def _with_findings(refusal: MigrationError, schema: SchemaFiles, ledger: Ledger) -> MigrationError:
    """The refusal of a plan with what lint stops in the pending files, in the order of the files, so that all is said at once.

    Alone where the ledger does not tell which files are pending.
    """
    if any(isinstance(error, StartedNotDoneError) for error in refusal.errors) or (ledger.populated and not ledger.entries):
        return refusal
    ordered = from_empty(schema.files, schema.base)
    has_base = bool(ledger.entries or ledger.base)
    pending = [file for file in ordered if not ledger.entry(file.name) and not (has_base and file is schema.base)]
    stopped = refusal_of(accepting(examine(ordered, pending, in_use=schema.in_use or not ledger.is_ours), schema.accepted))
    places = {file.path: file.order for file in ordered}
    errors = [error for error in (*refusal.errors, *(stopped.errors if stopped else ())) if isinstance(error, MigrationError)]
    return together(sorted(errors, key=lambda error: _place(error, places))) or refusal


def _place(error: MigrationError, places: Mapping[str, Order]) -> Order:
    path = error.where.partition(", statement ")[0]
    return places.get(path) or order_of(path.rpartition("/")[2])


def compare_schema(judgement: Judgement, schema: SchemaFiles, accepted: AcceptedObjects) -> Judgement:
    """Complete a judgement with the comparison of the live schema, which was read with the ledger, and the expected one."""
    try:
        drift = drift_of(judgement.database, schema, judgement.ledger, accepted)
    except MigrationError as unknown:  # an applied file that this machine's SQLite refuses; D1's may be newer
        return replace(judgement, not_compared=unknown)
    return replace(judgement, refusal=drift.error(judgement.plan.unrecorded_base) if drift.objects else None)
