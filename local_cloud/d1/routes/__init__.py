"""The D1 endpoints of the REST API."""
