"""Tests of crane_infra.secrets."""
