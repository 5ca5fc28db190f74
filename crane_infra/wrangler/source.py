"""Python source of a catalog, in the style of ``crane_infra/catalog.py`` and as ruff formats it. Pure.

Every text in it is a Python literal, so nothing that stands in a file of wrangler can become code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.wrangler.workers import CHECK

WIDTH = 140
_HEAD = '''"""The workers and databases: what each worker binds and how it is checked. The same in every environment.

`crane import-wrangler` wrote it. It holds data only; the types are in ``config/catalog.py``. What differs between environments
(names, ids, some variables) is in the stack files, and the values of secrets are in Pulumi's configuration or in environment variables.
"""

from crane_infra.checks.model import Check
{imports}

@faults_in_one_line()
def crane() -> Catalog:
    """The catalog.

    Raises SettingsError with the path of the first fault in the data below.
    """
'''
_EDIT = (
    "# Edit this: ask for what proves that the worker works. docs/settings.md and the example of the clone show more.",
    "# Where a reply names its version, set version_at in a check and remove reports_version.",
)


def source(catalog: Catalog) -> str:
    """The text of ``crane_infra/catalog.py`` for a catalog."""
    functions = {name: f"_{name.replace('-', '_')}" for name in catalog.workers}
    workers = {_text(name): f"{function}()" for name, function in functions.items()}
    databases = {_text(name): _value(database, 12) for name, database in catalog.databases.items()}
    arguments = [f"workers={_braces(workers, 8)},", f"databases={_braces(databases, 8)},"]
    whole = "\n".join(["    return Catalog(", *(f"        {argument}" for argument in arguments), "    )"])
    parts = [
        _HEAD.format(imports=_imports(catalog)) + whole,
        *(_function(functions[name], worker) for name, worker in catalog.workers.items()),
    ]
    return "\n\n\n".join(parts) + "\n"


def _function(name: str, worker: CatalogWorker) -> str:
    lines = [f"def {name}() -> CatalogWorker:", "    return CatalogWorker("]
    for field in _said(worker):
        if field == "checks" and worker.checks == (CHECK,):
            lines += ["        checks=(", *(f"            {line}" for line in _EDIT), f"            {_value(CHECK, 12)},", "        ),"]
        else:
            lines.append(f"        {field}={_value(getattr(worker, field), 8, len(field) + 2)},")
    return "\n".join([*lines, "    )"])


def _imports(catalog: Catalog) -> str:
    kinds = {type(binding).__name__ for worker in catalog.workers.values() for binding in worker.bindings.values()}
    types = {"Catalog", "CatalogWorker"} | ({"CatalogDatabase"} if catalog.databases else set())
    for worker in catalog.workers.values():
        types |= {"Secret"} if worker.secrets else set()
        types |= {type(part).__name__ for part in (worker.placement, worker.limits) if part is not None}
    lines = [_import("crane_infra.config.assets", ["Assets"])] if any(worker.assets for worker in catalog.workers.values()) else []
    lines += [_import("crane_infra.config.bindings", sorted(kinds))] if kinds else []
    steps = [step for worker in catalog.workers.values() for step in worker.class_migrations]
    moved = {"TransferredClass"} if any(step.transferred_classes for step in steps) else set[str]()
    classes = [_import("crane_infra.config.class_migrations", sorted({"ClassMigration"} | moved))] if steps else []
    return "\n".join([*lines, _import("crane_infra.config.catalog", [*sorted(types), "faults_in_one_line"]), *classes]) + "\n"


def _import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def _said(model: BaseModel) -> list[str]:
    """The fields that are set, in order."""
    return [field for field in type(model).model_fields if field in model.model_fields_set]


def _value(value: Any, indent: int, before: int = 0) -> str:  # noqa: ANN401 - whatever a catalog holds
    """A value as source: in one line if it fits behind ``before`` characters and a comma, else with a line for each part."""
    flat = _flat(value)
    if indent + before + len(flat) + 1 <= WIDTH:
        return flat
    if isinstance(value, BaseModel):
        parts = [f"{field}={_value(getattr(value, field), indent + 4, len(field) + 2)}" for field in _said(value)]
        return _exploded(f"{type(value).__name__}(", parts, ")", indent) if parts else flat
    if isinstance(value, Mapping):
        entries = {_text(key): _value(inner, indent + 4, len(_text(key)) + 3) for key, inner in value.items()}
        return _exploded("{", [f"{key}: {inner}" for key, inner in entries.items()], "}", indent) if entries else flat
    if isinstance(value, list | tuple) and value:
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        return _exploded(opening, [_value(inner, indent + 4) for inner in value], closing, indent)
    return flat


def _flat(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, BaseModel):
        return f"{type(value).__name__}({', '.join(f'{field}={_flat(getattr(value, field))}' for field in _said(value))})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}: {_flat(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_flat, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(_flat, value))}]"
    if isinstance(value, str):
        return _text(value)
    return repr(value).replace("e+", "e")


def _exploded(opening: str, parts: Iterable[str], closing: str, indent: int) -> str:
    inner = "".join(f"{' ' * (indent + 4)}{part},\n" for part in parts)
    return f"{opening}\n{inner}{' ' * indent}{closing}"


def _braces(entries: Mapping[str, str], indent: int) -> str:
    """A dictionary whose values are source already; the keyword before it counts for its length."""
    flat = "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"
    if indent + len("databases=,") + len(flat) <= WIDTH and "\n" not in flat and len(entries) < 2:  # noqa: PLR2004 - more are easier to read below each other
        return flat
    return _exploded("{", [f"{key}: {value}" for key, value in entries.items()], "}", indent) if entries else "{}"


def _text(text: str) -> str:
    """A literal with the quotes that ruff prefers: double ones, unless single ones need fewer escapes."""
    body = repr(f"{text}'\"")[1:-1].removesuffix("\\'\"")
    body = body.replace("\\'", "'")
    if body.count('"') > body.count("'"):
        return "'" + body.replace("'", "\\'") + "'"
    return '"' + body.replace('"', '\\"') + '"'
