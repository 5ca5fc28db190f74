"""The errors of crane-infra: each says where, what, and what to do, in one line.

    CraneError
    ├── SettingsError      a stack's configuration, or the catalog
    ├── BundleError        the built modules of a worker, or the archive of a release
    ├── SecretError        a secret that is missing, empty, unencrypted, shared or a placeholder
    ├── ApiError           a call to Cloudflare's API that failed
    ├── DataError          rows of a database that cannot be copied, tried, backed up or restored
    ├── MigrationError     migration files and ledger that do not match, or a file that failed
    ├── CheckError         a check that a deployed worker did not pass
    ├── LiveError          something live that differs from what the stack deployed
    ├── GateError          a release that may not go to production
    ├── ReportError        a preview or an output that a report cannot read
    ├── ScrubError         a rule for staging's rows that is missing or wrong, or a scrubbed copy that breaks one
    ├── WranglerError      a configuration file of wrangler that cannot be imported
    ├── GithubError        a call to GitHub that failed, or something that a workflow needs and lacks
    └── RehearsalError     a rehearsal, its local project or its engine

The text of an error never holds a secret: code that raises one passes names, not values. The command line (``cli/main.py``) and the program
(``program/environment.py``) print an error as one line and choose the exit code.
"""

from collections.abc import Sequence

WOULD_REFUSE = "An update would be refused."
"""A preview adds this to the text of an error that would stop an update, and goes on with the diff."""


class CraneError(Exception):
    """An error that the user can fix.

    ``where`` is a path, a setting or a resource; ``what`` is the fault; ``todo`` is what to do about it. Line breaks in them become
    spaces, and full stops are added.
    """

    def __init__(self, where: str, what: str, todo: str) -> None:
        self.where, self.what, self.todo = (" ".join(part.split()) for part in (where, what, todo))
        super().__init__(f"{self.where}: {_sentence(self.what)} {_sentence(self.todo)}".strip())

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors that make up this one: itself, unless it stands for several."""
        return (self,)


class SettingsError(CraneError):
    """A setting is unknown, missing or malformed."""


class SeveralSettingsErrors(SettingsError):  # noqa: N818 - its name is a plural
    """Several mistakes, found at once: its text has a line for each."""

    def __init__(self, errors: Sequence[SettingsError]) -> None:
        first, self._errors = errors[0], tuple(errors)
        super().__init__(first.where, first.what, first.todo)
        self.args = ("\n".join(map(str, errors)),)

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors, in order."""
        return self._errors


def refuse_settings(errors: Sequence[SettingsError]) -> None:
    """Raise all of these as one error; nothing where there is none."""
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralSettingsErrors(errors)


class BundleError(CraneError):
    """The built modules of a worker are missing or cannot be used."""


class SecretError(CraneError):
    """A secret is missing, empty, a placeholder, too short, stored in the clear, or the same where it must differ, or cannot be read."""


class ApiError(CraneError):
    """Cloudflare's API refused a call, did not answer, or sent a reply that cannot be read."""


class MigrationError(CraneError):
    """Migration files and ledger do not match, or a file failed."""


class DataError(CraneError):
    """Rows of a database cannot be copied, tried, backed up, restored or written."""


class SeveralMigrationsError(MigrationError):
    """Several files that do not match or failed, found at once: its text has a line for each, up to ``SHOWN``."""

    SHOWN = 20

    def __init__(self, errors: Sequence[MigrationError]) -> None:
        first, self._errors = errors[0], tuple(errors)
        super().__init__(first.where, first.what, first.todo)
        more = [f"{len(errors) - self.SHOWN} more files or statements are refused."] if len(errors) > self.SHOWN else []
        self.args = ("\n".join([*map(str, errors[: self.SHOWN]), *more]),)

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors, in order."""
        return self._errors


class SeveralSecretsError(SecretError):
    """Several secrets that are refused, found at once: its text has a line for each."""

    def __init__(self, errors: Sequence[SecretError]) -> None:
        first, self._errors = errors[0], tuple(errors)
        super().__init__(first.where, first.what, first.todo)
        self.args = ("\n".join(map(str, errors)),)

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors, in order."""
        return self._errors


def refuse_secrets(errors: Sequence[SecretError]) -> None:
    """Raise all of these as one error; nothing where there is none."""
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralSecretsError(errors)


def together(errors: Sequence[MigrationError]) -> MigrationError | None:
    """One error for all of these; None where there is none."""
    return None if not errors else errors[0] if len(errors) == 1 else SeveralMigrationsError(errors)


class CheckError(CraneError):
    """A deployed worker does not answer a check as the catalog expects."""


class SeveralCheckErrors(CheckError):  # noqa: N818 - its name is a plural
    """Several checks that cannot be sent, found at once: its text has a line for each."""

    def __init__(self, errors: Sequence[CheckError]) -> None:
        first, self._errors = errors[0], tuple(errors)
        super().__init__(first.where, first.what, first.todo)
        self.args = ("\n".join(map(str, errors)),)

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors, in order."""
        return self._errors


def refuse_checks(errors: Sequence[CheckError]) -> None:
    """Raise all of these as one error; nothing where there is none."""
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralCheckErrors(errors)


class LiveError(CraneError):
    """A live worker or database differs from what this stack deployed."""


class GateError(CraneError):
    """This release may not go to production."""


class ReportError(CraneError):
    """A file that a report is made from is missing or cannot be read."""


class ScrubError(CraneError):
    """A rule for production's rows in staging is missing or cannot be followed, or a scrubbed copy holds what it must not."""


class SeveralScrubErrors(ScrubError):  # noqa: N818 - its name is a plural
    """Several of them, found at once: its text has a line for each."""

    def __init__(self, errors: Sequence[ScrubError]) -> None:
        super().__init__(errors[0].where, errors[0].what, errors[0].todo)
        self._errors = tuple(errors)
        self.args = ("\n".join(map(str, errors)),)

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors, in order."""
        return self._errors


def refuse_scrub(errors: Sequence[ScrubError]) -> None:
    """Raise all of these as one error; nothing where there is none."""
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralScrubErrors(errors)


class WranglerError(CraneError):
    """A configuration file of wrangler is missing, is broken or says something that cannot be imported."""


class SeveralWranglerErrors(WranglerError):  # noqa: N818 - its name is a plural
    """All that is wrong with the files: its text has a line for each."""

    def __init__(self, errors: Sequence[WranglerError]) -> None:
        super().__init__(errors[0].where, errors[0].what, errors[0].todo)
        self._errors = tuple(errors)
        self.args = ("\n".join(map(str, errors)),)

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors, in order."""
        return self._errors


class GithubError(CraneError):
    """GitHub refused a call, or a workflow lacks something that it needs."""


class RehearsalError(CraneError):
    """A step of a rehearsal failed, or its local project or engine cannot be used."""


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
