"""Resources of the official Cloudflare provider, declared by their type tokens.

The provider's own SDK does the same with one class for each of 300 resources, whose shared modules take about a second to import in every
preview and update. This program declares five resources. Tests hold each to what the SDK's class would register. See docs/decisions/0020.
"""

from collections.abc import Mapping
from typing import Any

import pulumi

VERSION = "6.17.0"


class CloudflareResource(pulumi.CustomResource):
    """One resource. ``kind`` is its token without the package, for example ``worker:Worker``; inputs have the provider's names, in camelCase."""

    def __init__(self, kind: str, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Register the resource with the provider at the version that this project pins."""
        pinned = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=VERSION), opts)
        super().__init__(f"cloudflare:index/{kind}", name, dict(inputs), pinned)
