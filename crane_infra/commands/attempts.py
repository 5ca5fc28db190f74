"""Looks that fail apart: each gives its result or its error, so that one that fails does not hide the others."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from crane_infra.errors import ApiError, CraneError
from crane_infra.redact import Redactor

T = TypeVar("T")
SECONDS = 20.0
"""How long a look at one thing of the account may take, with all that is sent again."""
_CREDENTIALS = ("CLOUDFLARE_API_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")


def attempt(work: Callable[[], T]) -> T | CraneError:
    """The result of ``work``, or its error."""
    try:
        return work()
    except CraneError as error:
        return error


async def look(where: str, work: Awaitable[T]) -> T | CraneError:
    """The result of a look at ``where``, or its error; one that takes too long ends with an error too."""
    try:
        async with asyncio.timeout(SECONDS):
            return await work
    except CraneError as error:
        return error
    except TimeoutError:
        return ApiError(where, f"Cloudflare's API did not answer within {SECONDS:g} s", "Run the same command again")


def redactor(environ: Mapping[str, str] = os.environ) -> Redactor:
    """Takes the credentials of this process out of texts of others: an error or a message may quote one."""
    return Redactor({name: value for name in _CREDENTIALS if (value := environ.get(name))})


def lines_of(error: CraneError, most: int = 3) -> list[str]:
    """An error as lines, one for each of the errors that it stands for; of many only the first ``most``."""
    errors = [str(single) for single in error.errors]
    return [*errors[:most], *([f"{len(errors) - most} more like this"] if len(errors) > most else [])]
