"""What the hooks around an update of a script's settings do. Knows no Pulumi.

The provider sends the settings that it knows, as they were live when the run began. So right before, they are read once more; right after,
those that the provider does not know are set again, since Cloudflare sets back what an update leaves out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crane_infra.config.script_settings import single_values
from crane_infra.config.settings import Settings
from crane_infra.errors import ApiError, LiveError
from crane_infra.live.account import open_account
from crane_infra.live.script_settings import Difference, completed, differences, restoring, unsent
from crane_infra.live.set_back import change_settings
from crane_infra.program.hooks.steps import Log

Json = Mapping[str, Any]


@dataclass
class SettingsGuard:
    """The update of one script's settings: ``declared`` by the files, ``sent`` by the provider, both with the names of Cloudflare's API."""

    settings: Settings
    script: str
    declared: Json
    sent: Json
    log: Log
    _before: Json = field(default_factory=dict)

    def announce(self, recorded: Json) -> None:
        """Say what the update sends without changing it; ``recorded`` are the settings as the engine has them."""
        changed = differences(recorded, self.sent)
        declared = {path for path, _ in single_values(self.declared)}
        left = [difference for difference in changed if difference.path not in declared]
        if left:
            self.log(f"worker {self.script}: {_listed(left)} changed since the last run; no file declares that, so it is left as it is")
        elif not changed:
            self.log(f"worker {self.script}: this update changes nothing; it only adds defaults that Cloudflare's reply lacked")

    async def check(self) -> None:
        """Before the update: raise LiveError where a setting that it would overwrite has changed since the run began, ApiError where the API fails."""
        async with open_account(self.settings) as account:
            live = await account.script(self.script, with_crons=False)
        if live is None:
            return
        self._before = live.settings
        if changed := differences(self.sent, completed(live.settings, self.declared)):
            what = f"{_listed(changed)} changed while this run was under way, so nothing was sent"
            raise LiveError(f"worker {self.script}", what, "Run the same command again")

    async def restore(self) -> None:
        """After the update: set again what the provider does not send. Raises LiveError that names it where that fails."""
        kept = sorted(path for path, _ in single_values(unsent(self._before)))
        if not kept:
            return
        try:
            async with open_account(self.settings) as account:
                live = await account.script(self.script, with_crons=False)
                body = restoring(self._before, live.settings) if live else {}
                if body:
                    await change_settings(account, self.script, body)
        except ApiError as error:
            what = f"this run reset {', '.join(kept)} and could not restore it: {error.what}"
            raise LiveError(f"worker {self.script}", what, "Set it again in the dashboard") from None
        if body:
            self.log(f"worker {self.script}: set again what the provider does not send: {', '.join(kept)}")


def _listed(changed: list[Difference]) -> str:
    return ", ".join(dict.fromkeys(difference.label.partition(".")[0] for difference in changed))
