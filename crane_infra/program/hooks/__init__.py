"""What runs before a resource is created or updated, and the adapter that makes a Pulumi hook of it."""
