"""Replies in Cloudflare's envelope, and refusals with its codes.

A handler returns ``ok(...)`` or raises ``Refusal``; nothing else leaves the REST API, so almost every reply has the same four keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_FOUND, BAD_REQUEST, CONFLICT = 404, 400, 409
INTERNAL, UNKNOWN_ROUTE, NOTE = 10001, 10404, 10000
NO_SUCH_WORKER, BAD_WORKER = 10007, 10021
SQL_ERROR, NAME_TAKEN, NO_SUCH_DATABASE, MALFORMED = 7500, 7502, 7404, 7400


class Refusal(Exception):  # noqa: N818 (what Cloudflare answers, not a fault of ours)
    """A refusal: HTTP status, Cloudflare's code, and a message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        """Keep the parts of the reply."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self) -> Response:
        """Give the reply."""
        errors = [{"code": self.code, "message": self.message}]
        return JSONResponse({"success": False, "errors": errors, "messages": [], "result": None}, status_code=self.status)


def ok(result: object, *, info: dict[str, int] | None = None, notes: Sequence[str] = ()) -> Response:
    """Wrap a result; ``info`` is a list's paging, ``notes`` are what the caller should know."""
    paging: dict[str, Any] = {} if info is None else {"result_info": info}
    messages = [{"code": NOTE, "message": note} for note in notes]
    return JSONResponse({"success": True, "errors": [], "messages": messages, "result": result, **paging})


def page(items: list[Any], query: Mapping[str, str], under: str | None = None) -> Response:
    """Give the page of a list that ``?page=`` and ``?per_page=`` ask for; ``under`` is the key that holds some lists.

    A page after the last one is empty, which tells the SDKs to stop.
    """
    number, size = _positive(query.get("page"), 1), _positive(query.get("per_page"), 100)
    part = items[(number - 1) * size : number * size]
    pages = -(-len(items) // size)
    info = {"count": len(part), "page": number, "per_page": size, "total_count": len(items), "total_pages": pages}
    return ok(part if under is None else {under: part}, info=info)


def _positive(text: str | None, default: int) -> int:
    return max(int(text), 1) if text is not None and text.isascii() and text.isdigit() else default
