"""What sends traffic to a version: the deployment, then the crons.

Declared after every schema step, so that no version serves before its schema is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from crane_infra.program.components.outputs import end
from crane_infra.program.provider import CloudflareAccount, CloudflareResource


@dataclass(frozen=True)
class RoutingConfig:
    """Which version of a script gets all traffic. With ``crons`` None the schedules of the script are left alone."""

    account: CloudflareAccount
    script: pulumi.Input[str]
    version: pulumi.Input[str]
    crons: tuple[str, ...] | None
    ready: pulumi.ResourceHookBinding
    """Runs before the version gets traffic; if it fails, the version before keeps serving."""


class Routing(pulumi.ComponentResource):
    """All traffic of a script to one version."""

    def __init__(
        self, name: str, config: RoutingConfig, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the routing of the worker ``name``, once everything in ``after`` is done."""
        super().__init__("crane:infra:Routing", name, None, opts)
        self.deployment = CloudflareResource(
            "workersDeployment:WorkersDeployment",
            name,
            config.account,
            {
                "scriptName": config.script,
                "strategy": "percentage",
                "versions": [{"versionId": config.version, "percentage": 100}],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after), hooks=config.ready),
        )
        if config.crons is not None:
            self.crons = CloudflareResource(
                "workersCronTrigger:WorkersCronTrigger",
                name,
                config.account,
                {
                    "scriptName": config.script,
                    "schedules": [{"cron": cron} for cron in config.crons],
                },
                # The script has to be deployed before it can be scheduled.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
            )
        end(self)
