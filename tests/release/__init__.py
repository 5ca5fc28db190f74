"""Tests of crane_infra.release."""
