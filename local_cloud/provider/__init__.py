"""The stand-in provider: answers the Pulumi engine in place of the official Cloudflare provider, where that one is not installed.

It supports the five resource types that crane-infra declares, and makes the same REST calls as recordings of the official provider
(tests/local_cloud/provider). It is not a general provider. It talks only to this machine, so a rehearsal never becomes a deployment.
"""

from local_cloud.provider.server import ProviderServer, start_provider

__all__ = ["ProviderServer", "start_provider"]
