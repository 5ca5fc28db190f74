"""A client for the Infisical of a local cloud: fills its folders and reads them back, by the admin port."""

from dataclasses import dataclass

from local_cloud.daemon import Running
from local_cloud.faults.client import Faults

PROJECT, CLIENT = "10ca1000-0000-4000-8000-00001f151ca1", "local"
"""The id of its project, and the client id of its one identity. The client secret is the token of the cloud."""


@dataclass(frozen=True)
class Infisical:
    """The one project; a place is ``<environment>:<path>``."""

    running: Running

    @property
    def site(self) -> str:
        """Its address, as a stack file has it."""
        return self.running.edge_url.rpartition("/")[0] + "/infisical"

    def put(self, place: str, values: dict[str, str]) -> None:
        """Store values; raises LocalCloudError where the cloud does not answer."""
        Faults(self.running).ask("PUT", "/infisical", {"place": place, "values": values})

    def values(self, place: str) -> dict[str, str]:
        """The values of a folder by name; raises LocalCloudError where the cloud does not answer."""
        return dict(Faults(self.running).ask("POST", "/infisical", {"place": place})["values"])
