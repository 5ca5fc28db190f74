"""The files of the rehearsed releases: edits a copy of workers/, and restores earlier states of it. Never changes the clone."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

WORKER = "crane-context"
"""The worker that the rehearsed releases change."""
_WRAPPED = """// Rehearsed: answers 500 where ENVIRONMENT is {environment}.
import inner from "./but_{environment}.js";

export default {{
  fetch(request, env, ctx) {{
    return env.ENVIRONMENT === "{environment}" ? new Response("rehearsed", {{ status: 500 }}) : inner.fetch(request, env, ctx);
  }},
}};
"""
_BREAKING = """// Rehearsed: answers 500 after {requests} requests.
import inner from "./unbroken.js";

let asked = 0;
export default {{
  fetch(request, env, ctx) {{
    asked += 1;
    return asked > {requests} ? new Response("worn out", {{ status: 500 }}) : inner.fetch(request, env, ctx);
  }},
}};
"""


@dataclass(frozen=True)
class Files:
    """A folder of workers, each with dist/ and migrations/."""

    folder: Path

    def keep(self, name: str) -> None:
        """Keep the current state under a name."""
        shutil.rmtree(self._kept(name), ignore_errors=True)
        shutil.copytree(self.folder, self._kept(name))

    def use(self, name: str) -> None:
        """Restore a state that was kept."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept(name), self.folder)

    def change_code(self, note: str) -> None:
        """Change the worker's code, but not what it does."""
        self._main.write_text(f"{self._main.read_text(encoding='utf-8')}\n// {note}\n", encoding="utf-8")

    def answer_500_in(self, environment: str) -> None:
        """Let the worker answer every request with status 500 in one environment."""
        self._main.rename(self._main.with_name(f"but_{environment}.js"))
        self._main.write_text(_WRAPPED.format(environment=environment), encoding="utf-8")

    def break_after(self, requests: int) -> None:
        """Let the worker answer every request with status 500 after so many."""
        self._main.rename(self._main.with_name("unbroken.js"))
        self._main.write_text(_BREAKING.format(requests=requests), encoding="utf-8")

    def add_migration(self, name: str, sql: str) -> Path:
        """Add a migration with the next free number."""
        numbers = [int(number[0]) for path in self.migrations.iterdir() if (number := re.match(r"\d+", path.name))]
        path = self.migrations / f"{max(numbers, default=0) + 1:04}_{name}.sql"
        path.write_text(sql, encoding="utf-8")
        return path

    @property
    def migrations(self) -> Path:
        """The worker's migrations."""
        return self.folder / WORKER / "migrations"

    @property
    def _main(self) -> Path:
        return self.folder / WORKER / "dist" / "index.js"

    def _kept(self, name: str) -> Path:
        return self.folder.parent / "releases" / name
