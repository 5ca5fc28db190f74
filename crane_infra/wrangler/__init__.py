"""Reads the configuration files of wrangler, and writes the catalog and the stack files that mean the same."""
