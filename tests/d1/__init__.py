"""The D1 client, against a D1 REST API over real SQLite."""
