"""E: templates → answers, with headers that let a page load and do nothing but what is ours."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.edge.console.curves import milliseconds, percent, short, span, usd
from gateway.edge.operations import SAFE
from gateway.vocabulary import dollars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

ASSETS = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}

_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types live"
)
"""One script, which is a file of ours; nothing in a page is run."""

_KILO = 1_000

HEADERS = {
    "Content-Security-Policy": _POLICY,
    **SAFE,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send forms without an origin
}


class Pages:
    """One template a page; everything that is put into one is escaped. Files are read off the event loop, once."""

    @cached_property
    def _templates(self) -> Environment:
        """Asked for in threads alone, since it looks at the disk; made twice at worst."""
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - most workers show no page

        made = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {"moment": _moment, "number": _number, "size": _size, "usd": usd, "short": short}
        made.filters |= {"percent": percent, "seconds": milliseconds, "nanos": dollars, "span": span}
        return made

    async def page(self, name: str, content: Mapping[str, object], status: int = 200) -> web.Response:
        """The page of that name."""
        text = await asyncio.to_thread(self._rendered, name, content)
        return web.Response(text=text, status=status, headers=HEADERS, content_type="text/html")

    async def asset(self, name: str) -> web.Response:
        """One of ASSETS."""
        body = await asyncio.to_thread((files(__package__) / name).read_bytes)
        return web.Response(body=body, headers=HEADERS, content_type=ASSETS[name], charset="utf-8")

    def _rendered(self, name: str, content: Mapping[str, object]) -> str:
        return self._templates.get_template(f"{name}.html").render(content)


def to(path: str) -> web.Response:
    """See there: the answer to a form that was done, so that loading anew does not send it again."""
    return web.Response(status=303, headers={**HEADERS, "Location": path})


def _moment(seconds: int | None) -> str:
    """UTC."""
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _number(value: int) -> str:
    return f"{value:,}"


def _size(count: float) -> str:
    """Bytes in the unit that is read most easily."""
    for unit in ("B", "kB", "MB"):
        if count < _KILO:
            return f"{count:.3g} {unit}"
        count /= _KILO
    return f"{count:,.3g} GB"
