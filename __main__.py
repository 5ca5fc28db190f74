"""What `pulumi` runs: one environment, from its settings and the catalog."""

import gc

# The provider's SDK makes a million objects that live until the end; looking through them took 40% of a no-op run.
gc.disable()

from crane_infra import catalog, program, settings  # noqa: E402

gc.freeze()
gc.enable()

with program.refusals_in_one_line():
    program.require_engine()
    program.declare(settings.read(), catalog.crane())
