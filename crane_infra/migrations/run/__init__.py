"""The parts of one run of migrations against one database; ``migrations.apply`` puts them together."""
