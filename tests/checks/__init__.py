"""Smoke checks, their judgement, and the redactor."""
