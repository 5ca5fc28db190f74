"""The comment on a pull request: what a change does to code, data and secrets of both environments, in Markdown.

Read by collect.py and engine.py, decided by compare.py and databases.py, written by render.py.
"""
