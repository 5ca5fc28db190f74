"""Tests of crane_infra.github."""
