"""Seeds: rows that staging gets from numbered SQL files, after its migrations."""
