"""Tests of copies, trials and backups."""
