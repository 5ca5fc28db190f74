"""Durable Object migrations of a script: an upload must know the tag that the script has, and a deployment applies what its one version carries.

The local cloud keeps the tag of each script. It moves and deletes no objects: each version has objects of its own, and the reply to the upload
says so. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.envelope import BAD_REQUEST, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from local_cloud.store import Body

KINDS = ("new_classes", "new_sqlite_classes", "renamed_classes", "deleted_classes", "transferred_classes")
_MALFORMED, _WRONG_TAG, _NOT_ALONE = 10001, 10079, 10211
_UPLOAD = (
    "Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object migration, but migrations must be fully "
    "applied via a non-versioned deployment."
)
_DEPLOYMENT = (
    "Deployment failed. You attempted to deploy a version of a Worker beside or before a Durable Object migration, but migrations must be fully "
    "applied and cannot be rolled back."
)


def carried(upload: Body) -> Body | None:
    """Give the migrations of an upload, None without any; refuse what is not of their form (400)."""
    migrations = upload.get("migrations")
    if not migrations:
        return None
    steps = migrations.get("steps", []) if isinstance(migrations, dict) else None
    if not isinstance(steps, list) or not all(map(_is_step, [migrations, *steps])) or not isinstance(migrations.get("new_tag"), str):
        raise Refusal(BAD_REQUEST, _MALFORMED, "The request is malformed: migrations must be an object with a new_tag and lists of classes")
    return dict(migrations)


def require_tag(migrations: Body | None, tag: str | None) -> None:
    """Refuse migrations that do not begin at the tag that their script has (10079; the text is from wrangler's issues)."""
    if migrations is not None and (migrations.get("old_tag") or None) != tag:
        raise Refusal(412, _WRONG_TAG, f"Migration tag precondition failed; current tag is {tag}")


def not_as_a_version() -> Refusal:
    """Give the refusal of migrations in an upload that no deployment follows (10211; the text is from wrangler's issues)."""
    return Refusal(BAD_REQUEST, _NOT_ALONE, _UPLOAD)


def deployed(versions: Sequence[Body], tag: str | None, served: Collection[str] = ()) -> tuple[str | None, list[Body]]:
    """Give the tag that a script has once these versions serve, and the versions as deployed with it.

    ``tag`` is the present one; ``served`` are the ids of all versions that ever served. Refuses a migration beside another version, and a version
    that served before the last migration (10211).
    """
    coming = [version for version in versions if version.get("migrations") and "deployed_tag" not in version]
    if coming and len(versions) > 1:
        raise Refusal(BAD_REQUEST, _NOT_ALONE, _DEPLOYMENT)
    for version in coming:
        require_tag(version["migrations"], tag)
        tag = version["migrations"]["new_tag"]
    if tag is None:
        return None, list(versions)
    if any(version.get("deployed_tag", None if version["id"] in served else tag) != tag for version in versions):
        raise Refusal(BAD_REQUEST, _NOT_ALONE, _DEPLOYMENT)
    return tag, [{**version, "deployed_tag": tag} for version in versions]


def shown_tag(version: Body) -> Body:
    """Give the tag of a version that was deployed, as replies show it."""
    return {"migration_tag": version["deployed_tag"]} if "deployed_tag" in version else {}


def notes(migrations: Body | None) -> list[str]:
    """What the local cloud says about migrations whose objects it does not move."""
    steps = [migrations, *migrations.get("steps", [])] if migrations else []
    kinds = [kind for kind in KINDS[2:] if any(step.get(kind) for step in steps)]
    return [f"The local cloud notes {kind} and moves no objects: each version has objects of its own" for kind in kinds]


def _is_step(step: object) -> bool:
    return isinstance(step, dict) and all(isinstance(step.get(kind, []), list) for kind in KINDS)
