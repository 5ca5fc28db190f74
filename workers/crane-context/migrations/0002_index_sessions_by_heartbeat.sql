-- /active asks for the sessions with a recent heartbeat.
CREATE INDEX sessions_by_heartbeat ON sessions (last_heartbeat_at);
