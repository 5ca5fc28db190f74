"""The errors of crane-infra: each says where, what, and what to do, in one line.

    CraneError
    ├── SettingsError      a stack's configuration
    ├── BundleError        the built modules of a worker
    ├── SecretError        a secret that is missing, empty or shared
    ├── ApiError           Cloudflare's API said no, or nothing we understand
    ├── MigrationError     the files and the ledger do not agree, or a file failed
    ├── CheckError         a deployed worker does not answer as declared
    ├── LiveError          what is live is not what was declared
    ├── GateError          staging has not proven this release
    ├── ReportError        a preview or an output that cannot be read for a report
    ├── GithubError        GitHub refused, or what a workflow needs is not there
    └── RehearsalError     a rehearsal, its local project or the engine for it

Texts never hold a secret: whoever builds one passes names, not values. Only the CLI turns an error into an exit code.
"""

WOULD_REFUSE = "An update would be refused."
"""How a preview ends what it says where an update would raise; the diff goes on."""


class CraneError(Exception):
    """Something a user can mend.

    ``where`` is a path, a setting or a resource; ``what`` is the fault; ``todo`` is the way on. All are plain sentences
    without line breaks; the final full stops are put in here.
    """

    def __init__(self, where: str, what: str, todo: str) -> None:
        self.where, self.what, self.todo = (" ".join(part.split()) for part in (where, what, todo))
        super().__init__(f"{self.where}: {_sentence(self.what)} {_sentence(self.todo)}".strip())


class SettingsError(CraneError):
    """A setting is unknown, missing or malformed."""


class BundleError(CraneError):
    """The built modules of a worker are missing or cannot be used."""


class SecretError(CraneError):
    """A secret is missing, empty, stored in the clear, or shared between environments."""


class ApiError(CraneError):
    """Cloudflare's API refused a call or answered with something that is no answer."""


class MigrationError(CraneError):
    """Migration files and ledger disagree, or a file failed."""


class CheckError(CraneError):
    """A deployed worker does not answer as its catalog says."""


class LiveError(CraneError):
    """What serves traffic is not what this stack declared."""


class GateError(CraneError):
    """Production may not take this release."""


class ReportError(CraneError):
    """What a report is made from is missing or is something else."""


class GithubError(CraneError):
    """GitHub refused a call, or has not what a workflow needs."""


class RehearsalError(CraneError):
    """A rehearsal, its local project or the engine for it cannot do what was asked."""


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
