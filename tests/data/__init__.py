"""Tests of crane_infra.data."""
