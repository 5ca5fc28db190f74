"""What runs the workers and databases: Node with Miniflare and workerd, as a child process."""
