"""Numbered migrations for D1: read the files, read the ledger, plan, apply each file exactly once."""
