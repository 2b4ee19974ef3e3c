"""E: forms that browsers send: where they come from, and their fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from aiohttp import hdrs

from gateway.edge.admin_routes import BODY_LIMIT
from gateway.edge.call import read_body
from gateway.errors import FieldError, invalid_request

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.config.schema import Server

FORM_TYPE = re.compile(r"application/x-www-form-urlencoded", re.IGNORECASE)

_MOST_FIELDS = 16


def from_our_page(request: web.BaseRequest) -> bool:
    """Whether a browser says that one of our own pages sent the form; one that says nothing is not believed.

    `Sec-Fetch-Site` (W3C Fetch Metadata) also holds behind a proxy that changes the host; else `Origin` must name ours.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get(hdrs.ORIGIN, "")
    return bool(origin) and urlsplit(origin).netloc.lower() == request.headers.get(hdrs.HOST, "").lower()


async def read_form(request: web.BaseRequest, server: Server) -> dict[str, str]:
    """The fields by name; those left empty are left out.

    Raises:
        GatewayError: as read_body; INPUT_INVALID for what is no form, or has a field twice.
    """
    settings = server.model_copy(update={"body_limit": BODY_LIMIT})
    body = await read_body(request, settings, settings.timeout, FORM_TYPE)
    try:
        fields = parse_qs(body.decode(), strict_parsing=bool(body), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise invalid_request((FieldError("body", "is not a form", "form_invalid"),)) from None
    if any(len(values) > 1 for values in fields.values()):
        raise invalid_request((FieldError("body", "has a field twice", "form_invalid"),))
    return {name: values[0] for name, values in fields.items() if values[0]}
