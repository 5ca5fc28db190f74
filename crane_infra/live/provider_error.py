"""The text with which the provider ends a call that Cloudflare refused, as an error of ours: the cause in plain words. Pure."""

import json
import re

from pydantic import TypeAdapter

from crane_infra.d1.answer import Answer, Call, read_result
from crane_infra.d1.client import WRITE as D1_WRITE
from crane_infra.errors import ApiError
from crane_infra.live.set_back import WRITE as WORKERS_WRITE
from crane_infra.live.trouble import Service

_REFUSAL = re.compile(r'[A-Z]+ "https?://[^"]*": (\d{3})\b[^{\n]*(\{.*)?', re.DOTALL)
_PERMISSIONS: dict[Service, str] = {"d1": D1_WRITE, "workers": WORKERS_WRITE}
_ANYTHING: TypeAdapter[object] = TypeAdapter(object)


def refusal_in(text: str, where: str, service: Service, account_id: str) -> ApiError | None:
    """What the API said, as every other call of crane would say it; None where the text quotes no answer of the API.

    ``where`` names the resource.
    """
    if (refusal := _REFUSAL.search(text)) is None:
        return None
    status, body = int(refusal[1]), _first_object(refusal[2] or "")
    try:
        read_result(Call(where, _PERMISSIONS[service], account_id), Answer(status, {}, body.encode()), _ANYTHING)
    except ApiError as error:
        return error
    return None


def _first_object(text: str) -> str:
    """The JSON object at the beginning of a text; the provider adds words after it."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return text
    return text[:end]
