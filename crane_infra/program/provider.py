"""Resources of the official Cloudflare provider, declared by their type tokens.

The provider's own SDK does the same with one class for each of 300 resources, whose shared modules take about a second to import in every
preview and update. This program declares five resources. Tests hold each to what the SDK's class would register. See docs/decisions/0024.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi

VERSION = version("pulumi-cloudflare")
"""The plugin has the version of its SDK, which pyproject.toml pins."""


class CloudflareResource(pulumi.CustomResource):
    """One resource. ``kind`` is its token without the package, for example ``worker:Worker``; inputs have the provider's names, in camelCase."""

    def __init__(self, kind: str, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Register the resource with the provider at the version of the installed SDK."""
        pinned = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=VERSION), opts)
        super().__init__(f"cloudflare:index/{kind}", name, dict(inputs), pinned)
