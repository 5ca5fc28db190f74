"""A check that is a command of the user's own. Data only; ``execute.py`` runs it."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from crane_infra.checks.expected import Environment, Name, Seconds
from crane_infra.checks.headers import BindingName
from crane_infra.checks.patterns import Pattern
from crane_infra.frozen import Declared

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


def _not_ours(name: str) -> str:
    if name.startswith("CRANE_"):
        message = "variables that begin with CRANE_ are set by the run"
        raise ValueError(message)
    return name


EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_not_ours)]


class CommandCheck(Declared):
    """A command of yours, which passes by ending with 0. docs/checks.md says what it finds in its environment.

    It runs in the folder of the stack files, without a shell unless ``shell`` asks for one. At the deadline it is killed with its children.
    """

    kind: ClassVar[Literal["command"]] = "command"
    name: Name
    run: tuple[Text, ...] = ()
    """The program and its arguments. Other users of the machine may see them, so a secret cannot stand there."""
    shell: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")] | None = None
    """A line for ``/bin/sh -c``, in place of ``run``."""
    environment: Mapping[EnvironmentName, Text] = {}
    """Environment variables. The command gets few others: not the tokens of the run."""
    secrets_in: Mapping[EnvironmentName, BindingName] = {}
    """Environment variables that hold the secret bound to the worker under this name."""
    by_environment: Mapping[Environment, Mapping[EnvironmentName, Text]] = {}
    """Environment variables in staging or production; they override those in ``environment``."""
    output_matches: Pattern | None = None
    """The regular expression that must be found in what the command wrote."""
    deadline: Seconds = 60
    """Seconds from the first try. The command is tried again until it passes."""
    mutating: bool = True
    """Whether the command writes. Such a check never runs in production, nor while a version has no traffic."""
    rehearsable: bool = True
    """Whether it can pass on the local cloud, where secrets are placeholders and much of what a worker binds is empty. Else a rehearsal leaves it out."""
    sends_override: bool = False
    """Whether the command sends the header in ``CRANE_OVERRIDE``. Without it the command would ask the version that serves, not the candidate."""

    @model_validator(mode="after")
    def _one_command(self) -> Self:
        if bool(self.run) == (self.shell is not None):
            message = "set one of run and shell"
            raise ValueError(message)
        if self.run and not self.run[0].strip():
            message = "run begins with the name of a program"
            raise ValueError(message)
        plain = {*self.environment, *(name for values in self.by_environment.values() for name in values)}
        if twice := sorted(plain & set(self.secrets_in)):
            message = f"the variable {twice[0]} is set twice"
            raise ValueError(message)
        return self

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return self.run if self.shell is None else ("/bin/sh", "-c", self.shell)

    @property
    def names_version(self) -> bool:
        """A command does not tell which version serves: a check of its own does, before it."""
        return False

    @property
    def is_for_candidates(self) -> bool:
        """Whether it can run while the version has no traffic."""
        return not self.mutating and self.sends_override

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the bindings whose secret values the command gets."""
        return frozenset(self.secrets_in.values())

    def in_environment(self, environment: Environment) -> Self:
        """The same, with the variables of this environment."""
        variables = {**self.environment, **self.by_environment.get(environment, {})}
        return self.model_copy(update={"environment": variables, "by_environment": {}})

    def definition(self) -> dict[str, JsonValue]:
        """Everything that defines the check, as plain JSON to hash: without defaults, without secret values."""
        return {"kind": self.kind, **self.model_dump(mode="json", exclude_defaults=True)}
