"""The mark of a deployment, for those who make one. ``live/mark.py`` has it, since reading what is live needs it too."""

from crane_infra.live.mark import Mark, Purpose, mark, read_mark

__all__ = ["Mark", "Purpose", "mark", "read_mark"]
