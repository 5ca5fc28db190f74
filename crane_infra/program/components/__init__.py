"""The building blocks of an environment. Their type tokens live in state: ``crane:infra:<Name>``."""
