"""The Workers endpoints of the REST API."""
