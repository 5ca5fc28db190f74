CREATE TABLE deliveries (
  id TEXT PRIMARY KEY, -- X-GitHub-Delivery
  event TEXT NOT NULL,
  received_at TEXT NOT NULL
);
