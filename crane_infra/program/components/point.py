"""A point of a run that all workers reach together: what comes after waits for this one resource, and not for each of many.

The state lists what every resource waits for, and the engine writes the whole state with each step. Where each of twenty schemas names twenty
versions, and each of twenty deployments twenty schemas, that was a quarter of it.
"""

from collections.abc import Sequence

import pulumi


def declare_point(name: str, reached: str, after: Sequence[pulumi.Resource]) -> pulumi.Stash:
    """Declare the point, once everything in ``after`` is done. ``reached`` says what it means, and never changes: a change would be shown."""
    return pulumi.Stash(name, input=reached, opts=pulumi.ResourceOptions(depends_on=list(after)))
