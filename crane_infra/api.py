"""The connection to Cloudflare's API, for the two that talk to it: d1/ and observe.py."""

from cloudflare import AsyncCloudflare, DefaultAsyncHttpxClient

from crane_infra.settings import Settings
from crane_infra.tls import trusted


def connect(settings: Settings) -> AsyncCloudflare:
    """The official client, pointed at where the stack's provider points; an async context manager."""
    http = DefaultAsyncHttpxClient(verify=trusted())
    return AsyncCloudflare(api_token=settings.api_token.get_secret_value(), base_url=settings.api_url, http_client=http)
