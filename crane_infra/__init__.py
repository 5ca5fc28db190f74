"""crane-infra."""
