"""The static assets of a worker, as the catalog declares them."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from crane_infra.frozen import Declared

HtmlHandling = Literal["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"]
Rules = bool | tuple[str, ...]
NotFoundHandling = Literal["none", "404-page", "single-page-application"]


def _folder(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or path == PurePosixPath():
        message = f"'{text}' is not a folder below the workers folder"
        raise ValueError(message)
    return path.as_posix()


def _with_a_path(rules: Rules) -> Rules:
    if isinstance(rules, tuple):
        if wrong := [rule for rule in rules if not rule.removeprefix("!").startswith("/")]:
            message = f"'{wrong[0]}' is not a path: begin it with '/' or '!/'"
            raise ValueError(message)
        if all(rule.startswith("!") for rule in rules):
            message = "needs a path that does not begin with '!'"
            raise ValueError(message)
    return rules


class Assets(Declared):
    """Files that Cloudflare serves itself. ``directory`` is a folder below the workers folder."""

    directory: Annotated[str, AfterValidator(_folder)]
    binding: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """The name under which the worker itself can read the files."""
    html_handling: HtmlHandling = "auto-trailing-slash"
    not_found_handling: NotFoundHandling = "none"
    run_worker_first: Annotated[Rules, AfterValidator(_with_a_path)] = False
    """Whether the worker answers although there is a file: for all requests, or for these paths, and not for those that begin with ``!``."""

    @property
    def config(self) -> dict[str, Any]:
        """What differs from the defaults, with the names of Cloudflare's API."""
        return declared_config(self.model_dump())

    def overlaps(self, bundle: str) -> bool:
        """Whether the folder is within the bundle, or the bundle within it."""
        own, other = PurePosixPath(self.directory), PurePosixPath(bundle)
        return own.is_relative_to(other) or other.is_relative_to(own)


def declared_config(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that is known here and differs from the defaults, as JSON."""
    kept: dict[str, Any] = {}
    for name in ("html_handling", "not_found_handling", "run_worker_first"):
        value = config.get(name)
        if value is not None and value != Assets.model_fields[name].default:
            kept[name] = list(value) if isinstance(value, tuple) else value
    return kept
