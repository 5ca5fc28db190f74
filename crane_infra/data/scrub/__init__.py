"""Makes a scrubbed copy of a SQLite file by the rules of the catalog; knows no network."""
