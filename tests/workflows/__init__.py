"""The workflows: what GitHub would run, and what a stranger's pull request would get."""
