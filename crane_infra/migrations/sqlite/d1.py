"""What D1 refuses although SQLite takes it: limits, functions, PRAGMAs, modules and names (pure).

The facts are those of cloudflare/workerd, src/workerd/util/sqlite.c++; tests compare them with the workerd of the local cloud. D1 asks the
same questions while it compiles a statement that lint asks here, so both refuse the same.
"""

from dataclasses import dataclass

import apsw

from crane_infra.migrations.files.tokens import code


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LONGEST_VALUE = 2_000_000
"""Bytes of a text, a blob or a row (developers.cloudflare.com/d1/platform/limits)."""
LONGEST_PATTERN = 50
"""Bytes of a pattern of LIKE and GLOB."""
LIMITS = {
    apsw.SQLITE_LIMIT_COLUMN: 100,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 127,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: LONGEST_PATTERN,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
}
"""SQLite's limits as D1 sets them."""
MOST_STEPS = 21_504
"""Steps of SQLite's virtual machine that a statement may have. D1 sets the limit to 25,000, and SQLite reaches it in jumps.

Where they are depends on how SQLite was built, so lint counts the steps itself.
"""
SHORT = 20_000
"""Characters of a statement that can never have so many steps."""
FUNCTIONS = _words(
    """
    abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like likelihood likely
    load_extension lower ltrim max_scalar min_scalar nullif octet_length printf quote random randomblob replace round rtrim sign soundex
    substr substring total_changes trim typeof unhex unicode unlikely upper zeroblob
    date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp
    avg count group_concat max min string_agg sum total
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt tan tanh trunc
    json jsonb json_array jsonb_array json_array_length json_extract jsonb_extract -> ->> json_insert jsonb_insert json_object
    jsonb_object json_patch jsonb_patch json_remove jsonb_remove json_replace jsonb_replace json_set jsonb_set json_type json_valid
    json_quote json_group_array jsonb_group_array json_group_object jsonb_group_object json_each json_tree
    match highlight bm25 snippet rtreecheck
    sqlite_rename_column sqlite_rename_table sqlite_rename_test sqlite_drop_column sqlite_rename_quotefix
    """
)
"""The functions that D1 allows; the last line is what SQLite itself calls in ALTER TABLE."""
_OF_CONSTRAINTS = {"sqlite_fail", "sqlite_add_constraint", "sqlite_drop_constraint"}
"""What SQLite 3.53 calls in ALTER TABLE … ADD or DROP CONSTRAINT, and SET or DROP NOT NULL."""
PRAGMAS = _words(
    """
    case_sensitive_like data_version defer_foreign_keys foreign_key_check foreign_key_list foreign_keys ignore_check_constraints
    index_info index_list index_xinfo legacy_alter_table optimize page_size quick_check recursive_triggers reverse_unordered_selects
    table_info table_list table_xinfo
    """
)
"""The PRAGMAs that D1 allows."""
_WITHOUT_VALUE = {"data_version", "page_size"}
_MODULES = {"fts5", "fts5vocab", "rtree", "rtree_i32"}
_OWN = "_cf_"
_TEMPORARY = {value for name, value in vars(apsw).items() if name.startswith(("SQLITE_CREATE_TEMP_", "SQLITE_DROP_TEMP_"))}
_VIRTUAL = {apsw.SQLITE_CREATE_VTABLE, apsw.SQLITE_DROP_VTABLE}
_NAMING_FIRST = {
    value
    for name, value in vars(apsw).items()
    if name.startswith(("SQLITE_CREATE_", "SQLITE_DROP_"))
    or name in {"SQLITE_DELETE", "SQLITE_INSERT", "SQLITE_READ", "SQLITE_UPDATE", "SQLITE_REINDEX"}
}
_NAMING_SECOND = {
    apsw.SQLITE_ALTER_TABLE,
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_DROP_INDEX,
    apsw.SQLITE_DROP_TRIGGER,
}


@dataclass(frozen=True)
class Refusal:
    """Why D1 refuses a statement, and what to do. ``message`` is what D1 itself says when it does."""

    message: str
    reason: str
    todo: str


PARAMETER = "Wrong number of parameter bindings"
"""What D1 says where a statement has a parameter and gets no value."""
_DENIED = "not authorized"
_LIMIT_MESSAGES = (
    Refusal(
        "too many terms in compound SELECT",
        "D1 takes at most 5 terms in a compound SELECT (UNION, INTERSECT, EXCEPT)",
        "Split it into statements of at most 5 terms",
    ),
    Refusal("too many columns", "D1 takes at most 100 columns", "Move some of them to another table"),
    Refusal(
        "Expression tree is too large",
        "D1 takes expressions of at most 100 levels, which a long chain of OR or || exceeds",
        "Shorten it, for example with IN (…)",
    ),
    Refusal("too many arguments on function", "D1 takes at most 127 arguments of a function", "Split the call"),
    Refusal("string or blob too big", "D1 takes values of at most 2 MB", "Store it in parts"),
)
TOO_MANY_STEPS = Refusal(
    "out of memory",
    f"D1 takes statements of at most {MOST_STEPS:,} steps, which a long list of VALUES exceeds",
    "Split it into several statements",
)
_VACUUM = Refusal("cannot VACUUM", "D1 cannot run VACUUM, since a file is one transaction", "Remove it: D1 reuses free space on its own")


def denial(action: int, first: str | None, second: str | None, database: str | None) -> Refusal | None:
    """Why D1's authorizer denies an action of a statement, with the arguments that SQLite gives; None where it allows it."""
    if action in _TEMPORARY:
        return Refusal(
            _DENIED, "D1 has no TEMP tables, views, indexes or triggers", "Create an ordinary one, and drop it at the end of the file"
        )
    if action in _VIRTUAL and (second or "").lower() not in _MODULES:
        return Refusal(_DENIED, f"D1 has no virtual tables of the module {second}", "Use fts5")
    if action == apsw.SQLITE_FUNCTION:
        return _denied_function(second or "")
    if action == apsw.SQLITE_PRAGMA:
        return _denied_pragma((first or "").lower(), second)
    if action == apsw.SQLITE_READ and (first or "").lower().startswith("pragma_"):
        return _denied_pragma((first or "").lower().removeprefix("pragma_"), None)
    return _denied_name(action, first, second) if database != "temp" else None


def _denied_function(name: str) -> Refusal | None:
    if name in FUNCTIONS:
        return None
    message = f"{_DENIED} to use function: {name}"
    if name in _OF_CONSTRAINTS:
        return Refusal(message, "D1 cannot add or remove a constraint with ALTER TABLE", "Rebuild the table; docs/lint.md shows how")
    return Refusal(message, f"D1 does not allow the function {name}", "Use another function, or compute the value in the worker")


def _denied_pragma(name: str, value: str | None) -> Refusal | None:
    if name in PRAGMAS and not (value and name in _WITHOUT_VALUE):
        return None
    return Refusal(_DENIED, f"D1 does not allow PRAGMA {name}{f' = {value}' if name in PRAGMAS else ''}", "Remove it")


def _denied_name(action: int, first: str | None, second: str | None) -> Refusal | None:
    names = [first] if action in _NAMING_FIRST else []
    names += [second] if action in _NAMING_SECOND else []
    own = next((name for name in names if name and name.lower().startswith(_OWN)), None)
    return Refusal(_DENIED, f"{own} is one of D1's own names", f"Choose a name that does not begin with {_OWN}") if own else None


def limit_exceeded(message: str) -> Refusal:
    """The limit of D1 that an error of SQLite is about."""
    known = (refusal for refusal in _LIMIT_MESSAGES if refusal.message in message)
    return next(known, Refusal(message, message, "Change the statement so that it stays within D1's limits"))


def refusal_at_run(statement: str) -> Refusal | None:
    """Why D1 refuses a statement only once it runs: VACUUM, or on a row a pattern of LIKE or GLOB that is too long; None where it does not."""
    tokens = code(statement)
    if tokens and tokens[0].keyword == "VACUUM":
        return _VACUUM
    for index, token in enumerate(tokens):
        if token.keyword in {"LIKE", "GLOB"}:
            after = next((later for later in tokens[index + 1 :] if later.text != "("), None)
            size = len(after.text[1:-1].replace("''", "'").encode()) if after and after.kind == "text" else 0
            if size > LONGEST_PATTERN:
                reason = f"D1 takes patterns of {token.keyword} of at most {LONGEST_PATTERN} bytes, and this one has {size}"
                return Refusal("LIKE or GLOB pattern too complex", reason, "Shorten the pattern, or use instr() or substr()")
    return None
