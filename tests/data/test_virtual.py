"""A virtual table is read from its statement, whatever is in its names, comments and options."""

import pytest

from crane_infra.data.virtual import virtual_table


@pytest.mark.parametrize(
    ("sql", "module", "content"),
    [
        ("CREATE VIRTUAL TABLE f USING fts5(a, b)", "fts5", None),
        ("create virtual table f using FTS5 (a, Content = 'docs', content_rowid='id')", "fts5", "docs"),
        ("CREATE VIRTUAL TABLE f USING fts5(a, content=docs)", "fts5", "docs"),
        ('CREATE VIRTUAL TABLE f USING fts5(a, content="it\'s, so")', "fts5", "it's, so"),
        ("CREATE VIRTUAL TABLE f USING fts5(a, content='', contentless_delete=1)", "fts5", ""),
        ('CREATE VIRTUAL TABLE "a USING b(content=\'\')" USING fts5(content, title UNINDEXED, tokenize = "porter ascii")', "fts5", None),
        ("CREATE VIRTUAL TABLE IF NOT EXISTS f /* USING x(content='') */ USING rtree(id, low, high)", "rtree", None),
        ("CREATE VIRTUAL TABLE f USING fts5vocab", "fts5vocab", None),
    ],
)
def test_its_module_and_its_content_are_read(sql: str, module: str, content: str | None) -> None:
    table = virtual_table(sql)
    assert (table.module, table.content) == (module, content)
