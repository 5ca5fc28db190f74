"""The names of Cloudflare's API in the provider's spelling, and back: ``head_sampling_rate`` is ``headSamplingRate``."""

import re
from collections.abc import Mapping
from typing import Any


def camel(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A value of any depth with its keys in the provider's spelling."""
    return _renamed(value, lambda key: re.sub(r"_(\w)", lambda found: found[1].upper(), key))


def snake(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A value of any depth with its keys in the spelling of Cloudflare's API."""
    return _renamed(value, lambda key: re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key))


def _renamed(value: Any, rename: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, Mapping):
        return {rename(str(key)): _renamed(entry, rename) for key, entry in value.items()}
    return [_renamed(entry, rename) for entry in value] if isinstance(value, list | tuple) else value
