"""The program with a catalog that lost its second worker with its database, and that calls the first database by another name."""

from crane_infra import catalog
from crane_infra.config.catalog import Catalog

OLD_NAME, NEW_NAME = "crane-context-db", "context-store"
full = catalog.crane


def smaller() -> Catalog:
    """The catalog of crane after the removal and the rename."""
    before = full()
    context = before.workers["crane-context"].model_copy(update={"databases": {"DB": NEW_NAME}})
    return Catalog(workers={"crane-context": context}, databases={NEW_NAME: before.databases[OLD_NAME]})


if __name__ == "__main__":
    from crane_infra.program import environment, stacks
    from crane_infra.program.begin import begin

    asked = begin()
    with environment.refusals_in_one_line():
        environment.declare(stacks.own_settings(), smaller(), asked)
