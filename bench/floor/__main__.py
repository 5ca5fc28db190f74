"""What the engine and Pulumi's SDK cost alone: one Stash, or as many resources as so many workers with their databases, and no provider."""

import os

import pulumi

PARTS = {"Database": 2, "Worker": 2, "Routing": 1}
"""The components of a worker and its database, each with what stands below it."""
SOME_INPUTS = {"name": "x" * 60, "list": [1, 2, 3], "settings": {"enabled": True, "id": "y" * 60}}

pulumi.Stash("floor", input="unchanged")
for worker in range(int(os.environ.get("BENCH_FLOOR_WORKERS", "0"))):
    for part, count in PARTS.items():
        component = pulumi.ComponentResource(f"bench:floor:{part}", f"{part}-{worker}")
        for number in range(count):
            below = pulumi.ResourceOptions(parent=component)
            pulumi.Stash(f"{part}-{worker}-{number}", input=SOME_INPUTS, opts=below)
