"""An environment with as many workers as the benchmark needs, each with its own database, declared as crane's are."""

import os

from bench.program.watch import Watch
from crane_infra.imports import leave_out_unused, without_collector

watch = Watch()
leave_out_unused()
with without_collector():
    from crane_infra.program.begin import begin

    asked = begin()
    from crane_infra.tls import read_ahead

    read_ahead()
    from bench.catalog import catalog_of
    from crane_infra.program import environment, stacks
watch.imported()

with environment.refusals_in_one_line():
    environment.require_engine()
    environment.declare(stacks.own_settings(), catalog_of(int(os.environ["BENCH_WORKERS"])), asked)
