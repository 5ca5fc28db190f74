"""Before the first resource: the modules that hold the commit which they were built from. Asks git, and nobody else."""

from collections.abc import Iterator

from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared
from crane_infra.release.build_info import modules_with
from crane_infra.release.origin import head


def announce_build_info(prepared: Prepared) -> None:
    """Log which modules make each commit another release."""
    log(build_info_lines(prepared, head(prepared.settings.root)))


def build_info_lines(prepared: Prepared, commit: str | None) -> Iterator[Line]:
    """The lines about modules that hold the commit at hand."""
    for name, bundle in prepared.release.bundles.items():
        for module in modules_with(bundle, commit or ""):
            yield Line(
                f"worker {prepared.settings.script(name)}: {module} holds the commit {(commit or '')[:7]}, so each commit is another release that"
                " staging has to prove. Read what answers from the version metadata instead: docs/how-it-works.md#build-info"
            )
