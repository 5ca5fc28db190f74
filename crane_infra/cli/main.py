"""The ``crane`` command: starts it, and ends it with an exit code. The commands stand in ``app``."""

import atexit
import gc
import sys

from crane_infra.cli.ahead import ask_ahead
from crane_infra.errors import CraneError
from crane_infra.imports import leave_out_unused, without_collector
from local_cloud.errors import LocalCloudError


def main() -> None:
    """Run the command line; an error that the user can fix ends with one line and exit code 1, also what the system refuses of a file."""
    # At its end Python looks for garbage in all that was imported, a sixth of the time of a short command; what is frozen it leaves alone.
    atexit.register(gc.freeze)
    leave_out_unused()
    try:
        ask_ahead(sys.argv[1:])
        with without_collector():
            from crane_infra.cli.app import make_app  # noqa: PLC0415 - Pulumi answers meanwhile

            app = make_app(*sys.argv[1:])
        app()
    except (CraneError, LocalCloudError, OSError) as error:
        from crane_infra.status.inert import escaped  # noqa: PLC0415 - only an error may hold texts of others

        shown = _refused_by_system(error) if isinstance(error, OSError) else error
        sys.stderr.writelines(f"error: {escaped(line)}\n" for line in str(shown).splitlines())
        sys.exit(1)


def _refused_by_system(error: OSError) -> CraneError:
    where = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None) or "this machine"
    return CraneError(
        where, f"the system refuses it ({error.strerror or error})", "Check the path, its permissions and the room on its disk"
    )
