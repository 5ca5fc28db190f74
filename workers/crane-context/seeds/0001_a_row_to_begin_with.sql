INSERT INTO smoke_writes (name, written_at) VALUES ('seed', '2026-01-01T00:00:00Z')
  ON CONFLICT (name) DO UPDATE SET written_at = excluded.written_at;
