"""What `pulumi` runs: one environment, from its settings and the catalog."""

from crane_infra import catalog, program, settings

with program.refusals_in_one_line():
    program.require_engine()
    program.declare(settings.read(), catalog.crane())
