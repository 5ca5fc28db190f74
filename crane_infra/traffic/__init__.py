"""Moves the traffic of a worker between its versions, through the API. What the stack deploys last is the engine's own resource."""
