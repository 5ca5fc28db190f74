"""Migration files as text: their names, headers and statements."""
