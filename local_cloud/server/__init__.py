"""The process of the local cloud: its ports, the table of routes, and who may call."""
