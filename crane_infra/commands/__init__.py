"""What the `crane` command does for a stack, without Pulumi's SDK."""
