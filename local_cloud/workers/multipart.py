"""Multipart forms, as wrangler and the SDKs upload workers: the parts of a body, byte for byte.

It parses and does no more; what the parts mean is for forms.py. Anything malformed is refused: a part that was lost here would be a module
or a binding that nobody misses until the worker runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from local_cloud.envelope import BAD_REQUEST, Refusal

_BAD_FORM = 10003
_LONGEST_BOUNDARY = 70


@dataclass(frozen=True)
class Part:
    """One part; ``content_type`` is without its parameters."""

    name: str
    content: bytes
    filename: str | None = None
    content_type: str | None = None


def parse(content_type: str, body: bytes) -> list[Part]:
    """Give the parts of a ``multipart/form-data`` body; raises Refusal where it is none, or malformed."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary or len(boundary) > _LONGEST_BOUNDARY:
        raise _refused("multipart/form-data with a boundary is needed")
    _, *segments = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not segments or not segments[-1].startswith(b"--"):
        raise _refused("the last boundary is missing")
    return [_part(segment) for segment in segments[:-1]]


def _part(segment: bytes) -> Part:
    head, separator, content = segment.partition(b"\r\n\r\n")
    if not separator:
        raise _refused("a part has no headers")
    try:
        headers = HeaderParser().parsestr(head.lstrip(b" \t\r\n").decode())
    except UnicodeDecodeError as error:
        raise _refused("a part's headers are not UTF-8") from error
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise _refused("a part has no name")
    kind = headers.get_content_type() if "content-type" in headers else None
    return Part(name, content, headers.get_filename(), kind)


def _refused(what: str) -> Refusal:
    return Refusal(BAD_REQUEST, _BAD_FORM, f"Malformed form: {what}")
