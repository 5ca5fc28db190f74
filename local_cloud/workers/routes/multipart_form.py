"""Multipart forms, as wrangler and the SDKs upload workers: the parts of a body, byte for byte.

What the parts mean is for upload_form.py. A malformed form is refused as a whole: a lost part would be a module or a binding that
nobody misses until the worker runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from local_cloud.envelope import BAD_REQUEST, Refusal

_BAD_FORM = 10003
_LONGEST_BOUNDARY = 70  # RFC 2046, section 5.1.1


@dataclass(frozen=True)
class Part:
    """One part; ``content_type`` is without its parameters."""

    name: str
    content: bytes
    filename: str | None = None
    content_type: str | None = None


def parse(content_type: str, body: bytes) -> list[Part]:
    """Give the parts of a ``multipart/form-data`` body; raises Refusal when it is not one, or is malformed."""
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary or len(boundary) > _LONGEST_BOUNDARY:
        raise _refused("multipart/form-data with a boundary is needed")
    try:
        return _parts(boundary, body)
    except MultipartError as error:
        raise _refused(str(error.args[0])) from error


def _parts(boundary: str, body: bytes) -> list[Part]:
    segments: list[tuple[MultipartSegment, bytearray]] = []
    with PushMultipartParser(boundary, strict=True) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segments.append((event, bytearray()))
            elif event:
                segments[-1][1].extend(event)
    return [_part(segment, bytes(content)) for segment, content in segments]


def _part(segment: MultipartSegment, content: bytes) -> Part:
    if not segment.name:
        raise _refused("a part has no name")
    return Part(segment.name, content, segment.filename, segment.content_type)


def _refused(what: str) -> Refusal:
    return Refusal(BAD_REQUEST, _BAD_FORM, f"Malformed form: {what}")
