"""Measurements of what should be fast in this project; ``make bench`` runs them. They are not tests: slow results do not fail."""
