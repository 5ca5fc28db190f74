"""Tests of where both environments stand, and of what happened to them."""
