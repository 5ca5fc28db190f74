"""The comment on a pull request: what a change does to code, data and secrets of both environments, in Markdown.

collect.py reads the files and engine.py the preview; compare.py, databases.py and workers.py compare; render.py writes the comment.
"""
