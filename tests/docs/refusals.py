"""The words of every refusal, read off the code of ``crane_infra``: what its errors say, with … for each part that a run fills in.

Words are literals: in the call that makes the error, or in a name, a condition or a formatted text of the same function. Nothing is run.
"""

import ast
import functools
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

from tests.repository import ROOT

HOLE = "…"
PRODUCT = ROOT / "crane_infra"
REHEARSAL = PRODUCT / "rehearsal"
"""Its errors are about a rehearsal on this machine, and name the log to read."""
CALLS = {"refused": 0, "_fail": 0, "_version_fault": 1, "ValueError": 0, "Verdict": 1, "Missing": 1}
"""What makes a refusal besides the classes of errors, and which argument has the words."""
VALIDATORS = ("crane_infra/config/", "crane_infra/checks/")
"""Where pydantic passes on the text of a ValueError. Elsewhere one is a mistake in the code."""
PASSES_ON = {
    "crane_infra/commands/migration_files.py::_accepted",
    "crane_infra/commands/status.py::_verdict",
    "crane_infra/commands/verify.py::_unfinished",
    "crane_infra/config/catalog.py::faults_in_one_line",
    "crane_infra/config/settings.py::parse",
    "crane_infra/d1/answer.py::_refusal",
    "crane_infra/data/seeds/files.py::_faults",
    "crane_infra/d1/answer.py::refused",
    "crane_infra/errors.py::together",
    "crane_infra/live/expected.py::_version_fault",
    "crane_infra/live/expected.py::refresh_fault",
    "crane_infra/migrations/files/read.py::read_base",
    "crane_infra/migrations/plan.py::_not_ready",
    "crane_infra/migrations/run/settle.py::_read_until_clear",
    "crane_infra/migrations/lint/finding.py::error",
    "crane_infra/program/announce/migrations.py::announce_migrations",
    "crane_infra/program/hooks/adapter.py::guarded",
    "crane_infra/program/hooks/steps.py::_with_way_back",
    "crane_infra/program/hooks/steps.py::_without_way_back",
    "crane_infra/commands/signing.py::verified",
    "crane_infra/release/envelope.py::proof_in",
    "crane_infra/release/gate.py::_with_seals",
    "crane_infra/release/gate.py::error",
    "crane_infra/traffic/outcome.py::with_todo",
    "crane_infra/wrangler/assets.py::assets_in",
    "crane_infra/wrangler/bindings.py::_take",
    "crane_infra/wrangler/class_migrations.py::_step",
    "crane_infra/wrangler/findings.py::stop_at_faults",
    "crane_infra/wrangler/keys.py::_fault",
    "crane_infra/wrangler/translate.py::_catalog",
    "crane_infra/wrangler/translate.py::_require_valid",
    "crane_infra/wrangler/workers.py::_made",
    "crane_infra/wrangler/workers.py::catalog_worker",
}
"""Functions that make an error from the words of another place. The findings of lint have a page of their own, docs/lint.md."""
WORDS_FOR_OTHERS = {
    "crane_infra/frozen.py::_fault": 1,
    "crane_infra/migrations/files/faults.py::_faults": 1,
    "crane_infra/migrations/files/faults.py::blemish": 1,
    "crane_infra/migrations/files/faults.py::_statement_faults": 1,
    "crane_infra/migrations/files/split.py::fault_of": 0,
    "crane_infra/migrations/files/strict.py::_doubled": 1,
    "crane_infra/migrations/unfinished_refresh.py::summary": 0,
    "crane_infra/release/gate.py::_objection": None,
    "crane_infra/release/seal.py::broken_seal": 0,
    "crane_infra/release/seal.py::chain_fault": 0,
    "crane_infra/release/seal.py::seal_fault": 0,
}
"""Functions that make words and no error: the place of the words in their tuples, None where they are the keys of a dictionary. A text that
one of them returns counts too."""
SHORTEST = 6
"""Characters; less joins the words of other errors."""
WORDED = ("what", "reason")
"""What the argument with the words is called, where it is named."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.Module


@dataclass(frozen=True)
class Refusal:
    """One place that makes an error, and the forms of its words; ``unreadable`` is its code where they are no literals."""

    place: str
    words: frozenset[str]
    unreadable: str = ""


class UnreadableError(Exception):
    """A text is no literal."""


@functools.cache
def refusals() -> list[Refusal]:
    """Every place of the product that makes an error which a user may meet. It takes two seconds, so the code is read once."""
    paths = (path for path in sorted(PRODUCT.rglob("*.py")) if REHEARSAL not in path.parents)
    modules = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    classes = error_classes(modules.values())
    return [refusal for path, module in modules.items() for refusal in refusals_in(path, module, classes)]


def error_classes(modules: Iterable[ast.Module]) -> set[str]:
    """The names of CraneError and of all classes that derive from it, but for those that have their words in themselves."""
    nodes = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    errors = {"CraneError"}
    while more := {node.name for node in nodes if errors & set(map(_name, node.bases))} - errors:
        errors |= more
    return errors - {node.name for node in nodes if node.name in errors and _own_words(node)}


def refusals_in(path: str, module: ast.Module, classes: set[str]) -> Iterator[Refusal]:
    """The refusals that one module makes."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and (words := _own_words(node)):
            yield Refusal(f"{path}:{node.lineno}", words)
    functions = [node for node in ast.walk(module) if isinstance(node, Function)]
    for function in functions:
        name = f"{path}::{function.name}"
        if name in WORDS_FOR_OTHERS:
            yield Refusal(f"{path}:{function.lineno}", _normal(_returned(function, WORDS_FOR_OTHERS[name])))
        yield from _made_in(function, path, classes, passes_on=name in PASSES_ON)
    in_functions = {inner for function in functions for inner in ast.walk(function)}
    yield from _made_in(module, path, classes, passes_on=False, without=in_functions)


def _made_in(
    scope: Scope, path: str, classes: set[str], *, passes_on: bool, without: Collection[ast.AST] = frozenset()
) -> Iterator[Refusal]:
    """The refusals that a function makes, or the code outside of functions."""
    for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call) and node not in without):
        if (argument := _argument_with_words(call, classes)) is None:
            continue
        if _name(call.func) == "ValueError" and not path.startswith(VALIDATORS):
            continue
        words = None
        with suppress(UnreadableError):
            words = _normal(_words(argument, scope))
        if words:
            yield Refusal(f"{path}:{call.lineno}", words)
        elif not passes_on:
            yield Refusal(f"{path}:{call.lineno}", frozenset(), ast.unparse(call)[:100])


def _own_words(node: ast.ClassDef) -> frozenset[str]:
    """The words of a class of errors that passes literals on to its base."""
    for init in (member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"):
        for call in (inner for inner in ast.walk(init) if isinstance(inner, ast.Call) and ast.unparse(inner.func) == "super().__init__"):
            with suppress(UnreadableError, IndexError):
                return frozenset(word for word in _normal(_words(call.args[1], init)) if " " in word)
    return frozenset()


def _argument_with_words(call: ast.Call, classes: set[str]) -> ast.expr | None:
    """The argument of a call that has the words of a refusal: by its place or its name. The call itself where there is none."""
    name, named = _name(call.func), {keyword.arg: keyword.value for keyword in call.keywords}
    if name == "replace":  # of a verdict, which a reason closes
        return named.get("reason")
    if name == "Verdict" and not isinstance(call.args[0] if call.args else named.get("proof"), ast.Constant):
        return None  # an open gate
    place = 1 if name in classes else CALLS.get(name)
    if place is None:
        return None
    return call.args[place] if place < len(call.args) else next((named[word] for word in WORDED if word in named), call)


def _words(node: ast.expr, function: Scope) -> set[str]:
    """The forms of a text."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.JoinedStr(values=parts):
            return {"".join(form) for form in product(*(_part(part, function) for part in parts))}
        case ast.IfExp(body=first, orelse=second):
            return _words(first, function) | _words(second, function)
        case ast.BinOp(left=first, op=ast.Add(), right=second):
            return {before + after for before in _words(first, function) for after in _words(second, function)}
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[ast.GeneratorExp(elt=element)]):
            return _words(element, function)
        case ast.Name(id=name) if values := list(_values(name, function)):
            return set().union(*(_words(value, function) for value in values))
    raise UnreadableError


def _part(node: ast.expr, function: Scope) -> set[str]:
    """The forms of a part of a formatted text; a hole for what a run fills in."""
    try:
        return _words(node.value if isinstance(node, ast.FormattedValue) else node, function)
    except UnreadableError:
        return {HOLE}


def _values(name: str, function: Scope) -> Iterator[ast.expr]:
    """What a name of a function is set to, one by one or in a tuple, and what is added to it."""
    for node in ast.walk(function):
        if isinstance(node, ast.NamedExpr | ast.AnnAssign | ast.AugAssign) and _name(node.target) == name and node.value:
            yield node.value
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value  # type: ignore[attr-defined]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):  # type: ignore[attr-defined]
                yield from (value for part, value in zip(target.elts, node.value.elts, strict=False) if _name(part) == name)  # type: ignore[attr-defined]


def _returned(function: Function, place: int | None) -> set[str]:
    """The words in the tuples of a function and in the texts that it returns, or in the keys of its dictionaries."""
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    texts = [
        text for text in returned if isinstance(text, ast.JoinedStr) or (isinstance(text, ast.Constant) and isinstance(text.value, str))
    ]
    tuples = [text for node in ast.walk(function) if isinstance(node, ast.Tuple) for text in node.elts[place or 0 :][:1]]
    keys = [text for node in ast.walk(function) if isinstance(node, ast.Dict) for text in node.keys if text]
    return {form for text in (keys if place is None else [*tuples, *texts]) for form in _part(text, function)}


def _normal(forms: set[str]) -> frozenset[str]:
    """The words as a page shows them: with one hole for several, without holes and marks at both ends; nothing for what is holes alone."""
    texts = (re.sub(f"{HOLE}+", HOLE, form).strip(" …:;,.").removesuffix("(").rstrip(" …:,") for form in forms)
    return frozenset(text for text in texts if len(text) >= SHORTEST)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
