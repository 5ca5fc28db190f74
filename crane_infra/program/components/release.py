"""The release step: a record of proofs and environment, written only once its hook has seen that the newest proof is true.

Knows nothing of what a proof says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi


def declare_release(
    record: pulumi.Input[Mapping[str, Any]], prove: pulumi.ResourceHookBinding, after: Sequence[pulumi.Resource]
) -> pulumi.Stash:
    """Declare the step, once everything in ``after`` is done.

    Previews hide its proofs, a long text that each release replaces.
    """
    options = pulumi.ResourceOptions(protect=True, depends_on=list(after), hooks=prove, hide_diffs=["input.proofs", "input.releases"])
    return pulumi.Stash("release", input=record, opts=options)


def written(release: pulumi.Stash, last: Mapping[str, Any]) -> pulumi.Output[Mapping[str, Any]]:
    """What the step holds; ``last``, the stack's last outputs, where it was not written.

    A step that ``--exclude`` or ``--target`` leaves out and that never ran has no state: the SDK then takes the input for an
    output, so the input of such a step would be exported as if it had been proven. Its own output, which is no input, stays
    unknown.
    """

    async def known() -> Any:  # noqa: ANN401 - an output or a plain value
        if pulumi.runtime.is_dry_run() or await release.output.is_known():
            return release.input
        return last

    return pulumi.Output.from_input(known())
