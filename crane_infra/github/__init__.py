"""What the workflows ask of GitHub: one comment, one issue, a stored release. No product code imports it; only the CLI does."""
