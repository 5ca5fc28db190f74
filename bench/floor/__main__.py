"""What the engine costs before we do anything: one Stash, no provider."""

import pulumi

pulumi.Stash("one", input="1")
