-- Written by the staging-only smoke check: one row per name, overwritten each time.
CREATE TABLE smoke_writes (
  name TEXT PRIMARY KEY,
  written_at TEXT NOT NULL
);
