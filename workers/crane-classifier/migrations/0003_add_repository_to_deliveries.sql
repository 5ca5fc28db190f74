ALTER TABLE deliveries ADD COLUMN repository TEXT;
