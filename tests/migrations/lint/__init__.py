"""Tests of crane_infra.migrations.lint."""
