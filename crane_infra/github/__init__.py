"""What the workflows do at GitHub: one comment, one issue, stored releases. Only the command line imports it."""
