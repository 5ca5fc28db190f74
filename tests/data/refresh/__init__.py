"""Refreshing staging."""
