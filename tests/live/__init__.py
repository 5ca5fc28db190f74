"""Tests of crane_infra.live."""
