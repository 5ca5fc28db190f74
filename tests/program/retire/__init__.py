"""Catalogs that lost or renamed something, and the story of how a stack lets go of it."""
