"""The reference workers on the local cloud."""
