"""Looks at what is live in the account. Changes nothing, but for ``set_back.py``, which restores settings of a script."""
