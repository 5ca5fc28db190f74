"""Tests of crane_infra.migrations.files."""
