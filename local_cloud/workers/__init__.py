"""Workers as the local cloud serves them: scripts, versions, deployments, and the edge that answers for them."""
