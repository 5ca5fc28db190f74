"""Tests of crane_infra.config."""
