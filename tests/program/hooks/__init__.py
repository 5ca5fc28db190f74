"""Tests of crane_infra.program.hooks."""
