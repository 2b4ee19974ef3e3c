"""E: a multipart form (RFC 7578) in a body that was read already."""

from __future__ import annotations

import asyncio
import re
from email.message import Message
from typing import TYPE_CHECKING, Final

from aiohttp import BodyPartReader, MultipartReader, StreamReader, http_exceptions
from aiohttp.base_protocol import BaseProtocol

from gateway.endpoints.bulk import Field
from gateway.errors import FieldError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.errors import GatewayError

FORM_TYPE: Final = re.compile(r"multipart/form-data", re.IGNORECASE)

MOST_FIELDS = 16

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
"""RFC 2046 §5.1.1, without the space."""


async def read_fields(headers: Mapping[str, str], body: bytes) -> dict[str, Field]:
    """The form's fields by name.

    Raises:
        GatewayError: INPUT_INVALID; it is no form, a field has no name or comes twice, or there are more than
            MOST_FIELDS.
    """
    loop = asyncio.get_running_loop()
    boundary, begin = _begin(headers.get("Content-Type", ""), body)
    content = StreamReader(BaseProtocol(loop), max(len(body), 1), loop=loop)
    content.feed_data(body[begin:])
    content.feed_eof()
    fields: dict[str, Field] = {}
    try:
        reader = MultipartReader({"Content-Type": f'multipart/form-data; boundary="{boundary}"'}, content)
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or not part.name:
                raise _error("has a part that is no field")
            if part.name in fields or len(fields) == MOST_FIELDS:
                raise _error("has a field twice, or too many")
            fields[part.name] = Field(bytes(await part.read()), part.filename or "")
    except (http_exceptions.HttpProcessingError, ValueError, RuntimeError, AssertionError, LookupError):
        # What aiohttp's reader raises at a missing boundary, broken or too long headers, an end too early.
        raise _error("is not a multipart form") from None
    return fields


def _begin(content_type: str, body: bytes) -> tuple[str, int]:
    """The boundary, and where its first line is.

    aiohttp's reader looks for it line by line, in which millions of empty ones before it would take minutes.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = str(header.get_boundary(""))
    if not _BOUNDARY.fullmatch(boundary):
        raise _error("has no boundary in its Content-Type")
    places = [body.find(b"--" + boundary.encode() + end) for end in (b"\r\n", b"\n")]
    first = min((place for place in places if place >= 0), default=None)
    if first is None:
        raise _error("is not a multipart form")
    return boundary, first


def _error(message: str) -> GatewayError:
    return invalid_request((FieldError("body", message, "form_invalid"),))
