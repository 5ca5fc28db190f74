"""What `pulumi` runs: one environment, from its settings and the catalog."""

import gc

# What the SDKs make lives until the end; looking through it again and again took two fifths of a no-op run.
gc.disable()

from crane_infra import provider_sdk  # noqa: E402

provider_sdk.import_in_part()

from crane_infra import catalog, program, stacks  # noqa: E402

gc.freeze()
gc.enable()

with program.refusals_in_one_line():
    program.require_engine()
    program.declare(stacks.own_settings(), catalog.crane())
