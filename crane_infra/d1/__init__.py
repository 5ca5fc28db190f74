"""The D1 client: reads are retried, writes are sent once, replies are checked. Migrations only know ``database.DatabaseClient``."""
