"""Migrations: files, plan, ledger, and the runs that apply them."""
