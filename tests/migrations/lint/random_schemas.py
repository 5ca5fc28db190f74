"""Random schemas with rows, and random changes of them: what lint may have to say something about."""

from hypothesis import strategies as st

ACTION = st.sampled_from(["CASCADE", "SET NULL", "NO ACTION", "SET DEFAULT"])
TABLES = ("authors", "books", "marks")
COLUMNS = {
    "authors": ["name", "age"],
    "books": ["author", "title"],
    "marks": ["book", "note"],
}
ROWS = (
    "INSERT INTO authors (id, name, age) VALUES (1, 'ann', 10), (2, 'bob', 20), (3, 'cid', 30), (7, 'old', 40)",
    "INSERT INTO books (id, author, title) VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z')",
    "INSERT INTO marks (id, book, note) VALUES (1, 1, 'k'), (2, 2, 'l'), (3, 3, 'm')",
    "DELETE FROM authors WHERE id = 7",
)
"""Each row is referred to, and an id was used that is free again."""
AUTHORS = st.builds(
    "CREATE TABLE authors (id INTEGER PRIMARY KEY{}, name TEXT{}, age INTEGER{}{})".format,
    st.sampled_from(["", " AUTOINCREMENT"]),
    st.sampled_from(["", " UNIQUE", " NOT NULL", " COLLATE NOCASE"]),
    st.sampled_from(["", " CHECK (age IN (10, 20, 30, 40))", " CHECK (age BETWEEN 1 AND 99)", " DEFAULT 5"]),
    st.sampled_from(["", ", loud TEXT AS (upper(name))", ", loud TEXT AS (upper(name)) STORED"]),
)
BOOKS = st.builds(
    "CREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER REFERENCES authors (id) ON DELETE {}, title TEXT{})".format,
    ACTION,
    st.sampled_from(["", " UNIQUE", " UNIQUE ON CONFLICT REPLACE"]),
)
MARKS = st.builds("CREATE TABLE marks (id INTEGER PRIMARY KEY, book INTEGER REFERENCES books (id) ON DELETE {}, note TEXT)".format, ACTION)
EXTRA = st.sampled_from(
    [
        "CREATE INDEX by_title ON books (title)",
        "CREATE UNIQUE INDEX one_name ON authors (name)",
        "CREATE UNIQUE INDEX one_note ON marks (note) WHERE note <> ''",
        "CREATE VIEW names AS SELECT id, name FROM authors",
        "CREATE TRIGGER on_book AFTER INSERT ON books BEGIN INSERT OR IGNORE INTO marks (book, note) VALUES (new.id, 'new'); END",
        "CREATE TRIGGER no_marks AFTER DELETE ON books BEGIN DELETE FROM marks WHERE book = old.id; END",
        "CREATE TRIGGER latest AFTER INSERT ON marks BEGIN DELETE FROM marks WHERE id < new.id - 2; END",
        "CREATE TRIGGER again AFTER UPDATE ON authors BEGIN INSERT OR REPLACE INTO books (id, title) VALUES (new.id, 'again'); END",
        "CREATE TRIGGER swap AFTER UPDATE ON books BEGIN DELETE FROM marks WHERE book = old.id; INSERT INTO marks (note) VALUES (new.title); END",
        "CREATE TRIGGER renamed AFTER UPDATE ON authors BEGIN INSERT INTO marks (note) VALUES (old.name || new.id || random()); END",
    ]
)
SCHEMA = st.builds(
    lambda authors, books, marks, extras: (authors, books, marks, *ROWS, *extras), AUTHORS, BOOKS, MARKS, st.sets(EXTRA, max_size=3).map(sorted)
)  # fmt: skip
"""The statements that make a database."""

TABLE = st.sampled_from(TABLES)
ID = st.integers(1, 3)
SINGLE = st.one_of(
    st.builds("DROP TABLE {}".format, TABLE),
    st.builds("DELETE FROM {} WHERE id = {}".format, TABLE, ID),
    st.builds("DELETE FROM {}".format, TABLE),
    st.builds("UPDATE authors SET age = age + 1{}".format, st.sampled_from(["", " WHERE id = 2"])),
    st.builds("INSERT OR REPLACE INTO authors (id, name) VALUES ({}, 'eve')".format, ID),
    st.builds("INSERT INTO books (id, title) VALUES ({}, 'w') ON CONFLICT (id) DO UPDATE SET title = excluded.title".format, ID),
    st.builds("INSERT OR REPLACE INTO books (id, title) VALUES ({}, 'v')".format, ID),
    st.builds("UPDATE OR REPLACE authors SET name = 'dora' WHERE id = {}".format, ID),
    st.builds("UPDATE books SET title = title || id WHERE id = {}".format, ID),
    st.builds("INSERT INTO books (title) VALUES ('{}')".format, st.sampled_from("xyz")),
    st.builds("INSERT INTO marks (note) VALUES ('{}')".format, st.sampled_from("nop")),
    st.builds("INSERT INTO authors (name) SELECT title || id FROM books{}".format, st.sampled_from(["", " WHERE id = 1"])),
    st.builds("ALTER TABLE {} RENAME TO {}".format, TABLE, st.sampled_from(["people", "things"])),
    st.sampled_from(
        [
            "ALTER TABLE authors RENAME COLUMN age TO years",
            "ALTER TABLE authors DROP COLUMN age",
            "ALTER TABLE marks DROP COLUMN note",
            "ALTER TABLE authors ADD COLUMN email TEXT",
            "ALTER TABLE marks ADD COLUMN kind TEXT NOT NULL DEFAULT 'a' CHECK (kind IN ('a', 'b'))",
            "DROP INDEX IF EXISTS one_name",
            "DROP INDEX IF EXISTS by_title",
            "DROP TRIGGER IF EXISTS on_book",
            "DROP VIEW IF EXISTS names",
            "CREATE UNIQUE INDEX one_title ON books (title)",
            "CREATE INDEX by_note ON marks (note)",
            "CREATE TABLE IF NOT EXISTS tags (id INTEGER PRIMARY KEY, tag TEXT UNIQUE)",
            "PRAGMA defer_foreign_keys = ON",
        ]
    ),
).map(lambda statement: (statement,))
PAIR = st.sampled_from(
    [
        ("ALTER TABLE authors ADD COLUMN nick TEXT", "UPDATE authors SET nick = name"),
        ("ALTER TABLE authors DROP COLUMN age", "ALTER TABLE authors ADD COLUMN age INTEGER"),
        ("CREATE TABLE tags (id INTEGER PRIMARY KEY, tag TEXT UNIQUE)", "INSERT OR REPLACE INTO tags VALUES (1, 'a'), (1, 'b')"),
        ("CREATE TABLE kept AS SELECT * FROM marks", "DELETE FROM marks WHERE true"),
        ("DROP TABLE marks", "CREATE TABLE marks (id INTEGER PRIMARY KEY, book INTEGER, note TEXT)"),
        ("DROP TABLE books", "DROP TABLE marks"),
        ("DROP TABLE marks", "DROP TABLE books"),
    ]
)
NEW_AUTHORS = st.sampled_from(
    [
        "id INTEGER PRIMARY KEY, name TEXT, age INTEGER",
        "id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, age INTEGER, email TEXT",
        "id INTEGER PRIMARY KEY, age INTEGER, name TEXT",
        "id INTEGER PRIMARY KEY, name TEXT",
        "id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER CHECK (age IN (10, 20, 30, 40, 50))",
        "id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, age INTEGER CHECK (age > 0)",
        "id INTEGER PRIMARY KEY, name TEXT, age INTEGER NOT NULL DEFAULT 1, email TEXT NOT NULL DEFAULT ''",
        "id INTEGER PRIMARY KEY, name TEXT, age INTEGER, email TEXT NOT NULL",
    ]
)
COPY = st.sampled_from(
    [
        "INSERT INTO made (id, name, age) SELECT id, name, age FROM authors",
        "INSERT INTO made (id, name, age, email) SELECT id, name, age, name FROM authors",
        "INSERT INTO made (id, name) SELECT id, name FROM authors",
        "INSERT INTO made (id, name, age) SELECT id, name, age FROM authors WHERE id < 3",
        "INSERT INTO made SELECT id, name, age FROM authors",
        "INSERT INTO made SELECT * FROM authors",
    ]
)
CHILD = st.builds("id INTEGER PRIMARY KEY, author INTEGER REFERENCES made (id) ON DELETE {}, title TEXT{}".format, ACTION, st.sampled_from(["", " UNIQUE"]))  # fmt: skip


@st.composite
def _rebuild(draw: st.DrawFn) -> tuple[str, ...]:
    """A new table, a copy, the drop and the rename; of what refers to it first, with it, or not at all; and what went with it again."""
    before = ["DROP VIEW IF EXISTS names"] if draw(st.booleans()) else []
    parent = [f"CREATE TABLE made ({draw(NEW_AUTHORS)})", draw(COPY)]
    child = [f"CREATE TABLE copied ({draw(CHILD)})", "INSERT INTO copied SELECT id, author, title FROM books", "DROP TABLE books"]
    with_child = draw(st.booleans())
    end = ["ALTER TABLE made RENAME TO authors", *(["ALTER TABLE copied RENAME TO books"] if with_child else [])]
    again = draw(st.lists(EXTRA, max_size=2, unique=True))
    return (*before, *parent, *(child if with_child else []), "DROP TABLE authors", *end, *again)


CHANGES = st.lists(st.one_of(SINGLE, SINGLE, PAIR, _rebuild()), min_size=1, max_size=3, unique=True)
"""Groups of statements: a group of which one fails is left out whole."""
