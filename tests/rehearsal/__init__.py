"""Tests of crane_infra.rehearsal."""
