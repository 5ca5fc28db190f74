"""Tests of crane_infra.commands."""
