CREATE INDEX deliveries_by_time ON deliveries (received_at);
