"""Tests of the room that moves traffic."""
