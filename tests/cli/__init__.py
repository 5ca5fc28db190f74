"""Tests of crane_infra.cli."""
