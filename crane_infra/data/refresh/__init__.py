"""Replaces the rows of a staging database with production's, scrubbed: production is only read, and staging gets all of it or nothing."""
