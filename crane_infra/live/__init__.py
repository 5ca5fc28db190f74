"""Looks at what is live in the account. Changes nothing."""
