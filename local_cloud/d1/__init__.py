"""The local cloud's D1: its model here, its HTTP routes in ``routes``."""
