"""Before the first resource: how many static assets differ from those of the release that runs. The engine's diff shows a folder alone."""

from collections.abc import Iterator

from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared
from crane_infra.release.assets import change_of


def announce_assets(prepared: Prepared) -> None:
    """Log what changes in the static assets of each worker."""
    log(asset_lines(prepared))


def asset_lines(prepared: Prepared) -> Iterator[Line]:
    """A line for each worker whose static assets change."""
    for name, worker in prepared.release.manifest["workers"].items():
        if change := change_of(prepared.last.worker_manifest(name).get("assets"), worker.get("assets")):
            yield Line(f"worker {prepared.settings.script(name)}: static assets: {change}")
