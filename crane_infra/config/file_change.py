"""A file of the clone before and after a command changed it: shown as a diff first, written on request."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from crane_infra.errors import SettingsError


@dataclass(frozen=True)
class FileChange:
    """A file before and after; ``name`` is what is shown of its path."""

    path: Path
    name: str
    before: str
    after: str

    @property
    def diff(self) -> str:
        """What changes, as a unified diff; empty where nothing does."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, self.name, self.name))

    def write(self) -> None:
        """Write the file; raises SettingsError."""
        try:
            self.path.write_text(self.after, encoding="utf-8")
        except OSError as error:
            raise SettingsError(self.name, f"cannot be written ({type(error).__name__})", "Correct its permissions") from None


def text_of(path: Path) -> str:
    """The text of a file; empty where there is none. Raises SettingsError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise SettingsError(path.name, f"cannot be opened as text ({type(error).__name__})", "Save it as UTF-8") from None
