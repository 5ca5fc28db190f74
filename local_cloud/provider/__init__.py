"""The stand-in provider: answers the Pulumi engine for the official Cloudflare provider, where that one is not installed.

It knows the five resource types that crane-infra declares and calls the REST API as the official provider 6.17.0 was recorded
to do (tests/local_cloud/provider). It is not a general provider, and it only ever talks to this machine: a rehearsal that reached the real
account would be a deployment.
"""

from local_cloud.provider.server import ProviderServer, start_provider

__all__ = ["ProviderServer", "start_provider"]
