"""What `pulumi` runs: one environment, from its settings and the catalog."""

from crane_infra.imports import leave_out_unused, without_collector

leave_out_unused()
with without_collector():
    from crane_infra.program.begin import begin

    asked = begin()
    from crane_infra.tls import read_ahead

    read_ahead()
    from crane_infra import catalog
    from crane_infra.program import environment, stacks

with environment.refusals_in_one_line():
    environment.require_engine()
    environment.declare(stacks.own_settings(), catalog.crane(), asked)
