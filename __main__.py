"""What `pulumi` runs: one environment, from its settings and the catalog."""

from crane_infra.provider_sdk import imported_in_part

with imported_in_part():
    from crane_infra import catalog, program, stacks

with program.refusals_in_one_line():
    program.require_engine()
    program.declare(stacks.own_settings(), catalog.crane())
