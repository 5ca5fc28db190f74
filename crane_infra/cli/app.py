"""The commands of ``crane``. Each is its arguments and one call.

One rule keeps it fast: this module imports no command until it is asked for, and ``crane --help`` lists the summaries below, which import
nothing. A command's module imports what it needs at its top, as everywhere; what only one of several commands needs stands in a module of
its own (``proof`` beside ``release``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import typer


@dataclass(frozen=True)
class Command:
    """Where a command is, as ``module:member`` of this package, and its summary, which fits one line of ``crane --help``."""

    place: str
    summary: str
    apart: Mapping[str, str] = field(default_factory=dict)
    """The places of those commands of a group that need little, by name: each runs without the module of the others."""


COMMANDS = {
    "local": Command("local:app", "Run Workers and D1 on this machine, without an account."),
    "migrations": Command(
        "migrations:app",
        "Work with the migrations of a stack's databases.",
        {
            "status": "migrations_status:status",
            "plan": "migrations_plan:plan",
            "verify": "migrations_verify:verify",
            "apply": "migrations_apply:apply",
            "baseline": "migrations_baseline:baseline",
            "accept-edit": "migrations_accept_edit:accept_edit",
            "lint": "migration_files:lint",
            "new": "migration_files:new",
            "rehearse": "rehearse_migrations:rehearse",
        },
    ),
    "data": Command(
        "data:app",
        "Work with the rows of a stack's databases.",
        {
            "rules": "data_rules:rules",
            "seed": "data_seed:seed",
            "refresh": "data_refresh:refresh",
            "backup": "data_backup:backup",
            "restore": "data_backup:restore",
            "restore-production": "data_backup:restore_production",
            "test-backup": "data_backup:try_backup",
        },
    ),
    "release": Command("release:app", "Identify a release, and carry it to production."),
    "github": Command("github:app", "Write comments and issues, and store releases on GitHub."),
    "rehearse": Command("rehearse:rehearse", "Rehearse releases and failures on a local account."),
    "status": Command("status:status", "Show where both environments stand."),
    "history": Command("history:history", "Show what happened to a stack, and who did it."),
    "verify": Command("verify:verify", "Compare what is live with what the stack deployed."),
    "rollout": Command("rollout:app", "Decide about a rollout that holds."),
    "rollback": Command("rollback:rollback", "Put an earlier release of production back, in seconds."),
    "freeze": Command("freeze:freeze", "Stop all promotions until somebody lifts it."),
    "unfreeze": Command("freeze:unfreeze", "Lift the freeze of production."),
    "restore": Command("restore:restore", "Restore a database to an earlier state."),
    "retire": Command("retire:retire", "Let go of a worker or database that the catalog lost."),
    "lock": Command("lock:lock", "Say whether a stack is locked, since when and by whom."),
    "proof": Command("proof:proof", "Print the release that a stack has proven."),
    "new-signing-key": Command("signing:new_signing_key", "Give staging a new key that signs its proofs."),
    "import-wrangler": Command("import_wrangler:import_wrangler", "Turn wrangler's files into catalog and stack files."),
    "secrets": Command("secrets:app", "Audit the secrets of both environments, without values."),
    "adopt": Command("adopt:adopt", "Find what a stack adopts, and write it into its file."),
    "preview-report": Command("report:preview_report", "Write the comment on a pull request."),
}
"""In the order of ``crane --help``."""


def make_app(*words: str) -> typer.Typer:
    """The command line: ready to run the one command that ``words`` begin with, and with the summaries of all others."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # importing rich takes longer than most commands
        context_settings={"max_content_width": 120},
        help="Ship Cloudflare Workers with D1 databases safely.",
    )
    app.callback()(lambda: None)  # else a single command would be the whole command line
    for name, command in COMMANDS.items():
        if name in words[:1]:
            _add(app, name, command, *words[1:2])
        else:
            app.command(name, help=command.summary)(lambda: None)
    return app


def _add(app: typer.Typer, name: str, command: Command, *inner: str) -> None:
    """Add a command, or a group with all its commands; of a group only the command ``inner`` where that stands apart."""
    alone = {word: command.apart[word] for word in inner if word in command.apart}
    loaded = typer.Typer() if alone else _load(command.place)
    if not isinstance(loaded, typer.Typer):
        app.command(name)(loaded)
        return
    for word, place in (alone or command.apart).items():
        loaded.command(word)(_load(place))
    app.add_typer(loaded, name=name)


def _load(place: str) -> Callable[..., Any]:
    module, _, member = place.partition(":")
    member_of_module: Callable[..., Any] = getattr(import_module(f"crane_infra.cli.{module}"), member)
    return member_of_module
