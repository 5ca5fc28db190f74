"""What a preview says about the migrations of one database: a heading and a line for each file, or their sum where there are many (pure).

The engine shows the first line of a message while it runs, and the whole message at the end. So what belongs together is one message, and only
its heading appears twice.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from crane_infra.counted import counted
from crane_infra.migrations.files.names import MANY, listed
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.judge import Examined
from crane_infra.program.announce.lines import Line


def migration_lines(status: Judgement) -> Iterator[Line]:
    """The imports from wrangler, the pending files, and what lint found in these: one message each, where there is any."""
    findings = tuple(status.findings)
    if status.plan.adopt:
        yield Line(f"{status.database}: imports from wrangler: {listed([file.name for file in status.plan.adopt])}")
    if status.examined:
        yield Line("\n".join(f"{status.database}: {line}" for line in _pending(status.examined)))
    if findings:
        yield Line("\n".join(f"{status.database}: {line}" for line in _found(findings)), is_warning=True)


def cost_lines(status: Judgement, redact: Callable[[str], str]) -> Iterator[Line]:
    """What the pending files cost in the live database, as one message, where it was counted."""
    shown = list(status.costs[: MANY + 1])
    if rest := len(status.costs) - len(shown):
        shown.append(f"{rest} more lines; crane migrations plan shows each")
    if shown:
        yield Line("\n".join(f"{status.database}: {redact(cost)}" for cost in shown))


def _pending(files: Sequence[Examined]) -> Iterator[str]:
    if len(files) > MANY:
        kinds = Counter[str](file.kind for file in files)
        yield f"{listed([file.file.name for file in files])} are pending: {_counts(kinds)}"
        return
    yield f"{counted(len(files), 'pending migration')}"
    for file in files:
        tables = f", tables {', '.join(file.tables)}" if file.tables else ""
        yield f"pending {file.file.name} ({file.kind}, {file.file.sha256[:12]}{tables})"


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    if len(findings) > MANY:
        first = {finding.rule: finding.where for finding in reversed(findings)}
        rules = Counter(finding.rule for finding in findings)
        yield f"lint has {len(findings)} warnings; crane migrations lint shows each"
        yield from (f"{rule}: {count}, the first in {first[rule]}" for rule, count in rules.most_common(MANY))
        if rest := rules.most_common()[MANY:]:
            yield f"other rules: {_counts(dict(rest))}"
        return
    yield f"lint has {counted(len(findings), 'warning')}"
    yield from map(str, findings)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(counts).most_common())
