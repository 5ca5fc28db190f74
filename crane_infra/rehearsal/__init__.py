"""Rehearsals: the whole flow on a local cloud, with the real engine, as stories of named steps.

There are two stories in ``stories/``. One starts with an empty account and has releases that fail before production (empty, releases). The
other adopts the account as it is today, rolls back, and kills the engine (adoption, comeback, killed). Each step does what a person would
do, then checks the result in the account. ``cli/rehearse.py`` runs the steps and prints.
"""
