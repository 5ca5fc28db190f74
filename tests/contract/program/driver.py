"""Runs the engine on the fixture program, once for every line of its input: ``{"command": …, "inputs": …}``.

A process of its own, so that Cloudflare's SDK, which takes seconds to import, is imported once for a whole stack. The argument
is the folder of the stack; each line of output is what one run did.
"""

import json
import sys
from pathlib import Path
from typing import Any

from declare import Inputs, declare
from pulumi import automation as auto


def main() -> None:
    """Answer until the input ends."""
    folder = Path(sys.argv[1])
    folder.mkdir()
    settings = auto.ProjectSettings(name="contract", runtime="python")
    options = auto.LocalWorkspaceOptions(work_dir=str(folder), project_settings=settings)
    stack = auto.create_stack("contract", project_name="contract", program=lambda: None, opts=options)
    for line in sys.stdin:
        request = json.loads(line)
        for key, value in request["config"].items():
            stack.set_config(key, auto.ConfigValue(value))
        print(json.dumps(run(stack, request["command"], request["inputs"])), flush=True)  # noqa: T201 (its answer)


def run(stack: auto.Stack, command: str, inputs: Inputs) -> dict[str, Any]:
    """One run: how it ended, its steps, its errors, and all it said."""
    events: list[auto.EngineEvent] = []
    said: list[str] = []
    program = {"program": lambda: declare(inputs)} if command in ("up", "preview") else {}
    try:
        getattr(stack, command)(on_event=events.append, on_output=said.append, on_error=said.append, **program)
    except auto.CommandError as error:
        exit_code, said = 1, [*said, str(error)]
    else:
        exit_code = 0
    steps = [event.resource_pre_event.metadata for event in events if event.resource_pre_event]
    errors = [event.diagnostic_event.message for event in events if event.diagnostic_event and event.diagnostic_event.severity == "error"]
    return {
        "exit": exit_code,
        "steps": [{"op": step.op.value, "type": step.type, "keys": step.keys, "diffs": step.diffs} for step in steps],
        "errors": errors,
        "said": "\n".join(said),
    }


if __name__ == "__main__":
    main()
