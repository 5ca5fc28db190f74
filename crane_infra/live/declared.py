"""What a stack declared of a script, compared with what is live: addresses, schedules, logs and the like. Sets it back on request.

wrangler and the dashboard change these beside the stack, and the provider does not look: an update calls them unchanged.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from crane_infra.config.script_settings import shown
from crane_infra.d1.api import again
from crane_infra.live.account import Account, LiveScript
from crane_infra.live.reads import contradiction
from crane_infra.live.script_settings import differences
from crane_infra.live.set_back import change_settings, set_schedules


class DeclaredScript(NamedTuple):
    """What a stack declares of a script, with the names of Cloudflare's API. ``crons`` None: it declares no schedules."""

    script: str
    settings: Mapping[str, Any]
    crons: tuple[str, ...] | None


def deviations(live: LiveScript, declared: DeclaredScript) -> list[str]:
    """What is live otherwise than declared, each in a few words."""
    texts = [
        f"{setting.label}: {shown(setting.before)}, declared {shown(setting.after)}"
        for setting in differences(live.settings, declared.settings)
    ]
    if declared.crons is not None and sorted(live.crons) != sorted(declared.crons):
        texts.append(f"the schedules: {shown(sorted(live.crons))}, declared {shown(sorted(declared.crons))}")
    return texts


async def set_back(account: Account, declared: DeclaredScript) -> list[str]:
    """Set what is live otherwise back to what is declared, and look whether it is; returns what that was. Raises ApiError."""
    live = await account.script(declared.script)
    if live is None or not (texts := deviations(live, declared)):
        return []
    if body := _body(live, declared):
        await change_settings(account, declared.script, body)
    if declared.crons is not None and sorted(live.crons) != sorted(declared.crons):
        await set_schedules(account, declared.script, declared.crons)
    await again(lambda: _require_set_back(account, declared))
    return texts


async def _require_set_back(account: Account, declared: DeclaredScript) -> None:
    """A reply that reports success proves nothing. Raises NoAnswerError."""
    live = await account.script(declared.script)
    if left := deviations(live, declared) if live else ["the worker is gone"]:
        raise contradiction(f"worker {declared.script}", f"it says that the settings were set back, but they are not ({'; '.join(left)})")


def _body(live: LiveScript, declared: DeclaredScript) -> dict[str, Any]:
    """The top-level settings that differ, each whole, so that it does not matter how deep Cloudflare merges."""
    changed = {setting.path.partition(".")[0] for setting in differences(live.settings, declared.settings)}
    # Of the addresses both switches are declared, and what Cloudflare adds to them cannot be set.
    return {
        key: declared.settings[key] if key == "subdomain" else _over(live.settings.get(key), declared.settings[key])
        for key in sorted(changed)
    }


def _over(live: Any, declared: Any) -> Any:  # noqa: ANN401 (JSON)
    if not isinstance(declared, Mapping):
        return declared
    below = live if isinstance(live, Mapping) else {}
    return {**below, **{key: _over(below.get(key), value) for key, value in declared.items()}}
