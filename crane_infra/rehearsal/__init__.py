"""Rehearsals: the whole flow on a local cloud, with the real engine, as stories of named steps.

Two stories: an empty account with releases that fail and come back (empty.py, releases.py, killed.py), and the account as it is today, which
is adopted (adoption.py). Each step does what a person would do and sees for itself that it holds. Nothing in here prints (cli/rehearse.py
does). Prevents the flow from being believed instead of seen.
"""
