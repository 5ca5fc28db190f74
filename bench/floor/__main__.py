"""The smallest program: one Stash, no provider."""

import pulumi

pulumi.Stash("one", input="1")
