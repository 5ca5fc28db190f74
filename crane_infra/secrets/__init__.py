"""Where secret values come from, and the rules they obey."""
