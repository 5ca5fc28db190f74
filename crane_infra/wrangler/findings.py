"""What an import finds: faults, which stop it, and notes on what it does not carry over. Both say where, what and what to do."""

from dataclasses import dataclass, field

from crane_infra.errors import WranglerError, refuse


@dataclass(frozen=True)
class Note:
    """One thing that is not carried over, or not as it stands."""

    where: str
    what: str
    todo: str

    def __str__(self) -> str:
        """The note in one line; what a terminal would obey is escaped."""
        return f"{printable(self.where)}: {printable(self.what)}. {printable(self.todo)}."


@dataclass
class Findings:
    """The faults and notes so far."""

    faults: list[WranglerError] = field(default_factory=list)
    _notes: dict[Note, None] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Each note once, in order: what two environments inherit is one note."""
        return tuple(self._notes)

    def note(self, where: str, what: str, todo: str) -> None:
        """Take down what is not carried over."""
        self._notes[Note(where, what, todo)] = None

    def stop_at_faults(self) -> None:
        """Raise WranglerError with every fault so far, if there are any."""
        refuse(self.faults)


def printable(text: str) -> str:
    """The text without line breaks and control characters."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
