"""D1 as the local cloud serves it."""
