"""Tests of text_forms."""
