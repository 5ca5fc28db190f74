"""Measurements of what this project promises to be fast; ``make bench`` runs them. They are no tests: nothing fails by being slow."""
