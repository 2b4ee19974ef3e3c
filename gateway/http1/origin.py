"""E: where connections lead: looked up, opened and, for https, verified."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from aiohappyeyeballs import start_connection

from gateway.errors import TransportError
from gateway.http1.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

CONNECT_SECONDS = 5.0
_HEAD_START = 0.25
"""Seconds that one address of a host has before the next is tried beside it (RFC 8305)."""

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|[0-9a-f:]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """A host and port, with TLS or without, or a socket file `path`; `header` is what requests call it."""

    host: str
    port: int
    secure: bool
    header: str
    path: str = ""


def origin_of(url: URL, path: str = "") -> Origin | None:
    """Where an address leads; None for one in a form that is not known here: with a password, a zone, another scheme.

    `path` is that of a socket file, which then is asked instead of the address's host.
    """
    host, port = url.raw_host, url.port
    if host is None or port is None or url.scheme not in {"http", "https"} or _HOST.fullmatch(host) is None:
        return None
    if url.raw_user is not None or url.raw_password is not None:
        return None
    return Origin(host, port, url.scheme == "https", url.host_port_subcomponent or host, path)


async def connect(origin: Origin, left: Callable[[Connection], None], until: float) -> Connection:
    """A new connection; `until` is the loop's time.

    Raises:
        TransportError: none, or none in time; nothing was sent.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(min(until, loop.time() + CONNECT_SECONDS)):
            return await _open(origin, left)
    except TimeoutError as error:
        raise TransportError("no connection in time", sent=False) from error
    except (OSError, UnicodeError) as error:  # TLS errors are OSErrors
        raise TransportError("no connection", sent=False) from error


async def _open(origin: Origin, left: Callable[[Connection], None]) -> Connection:
    loop = asyncio.get_running_loop()
    if origin.path:
        _, connection = await loop.create_unix_connection(lambda: Connection(left), origin.path)
        return connection
    context = await loop.run_in_executor(None, _verifying) if origin.secure else None
    addresses = await loop.getaddrinfo(
        origin.host, origin.port, type=socket.SOCK_STREAM, flags=0 if _numeric(origin.host) else socket.AI_ADDRCONFIG
    )
    plain = await start_connection(addresses, happy_eyeballs_delay=_HEAD_START, interleave=1)
    try:
        _, connection = await loop.create_connection(
            lambda: Connection(left), sock=plain, ssl=context, server_hostname=origin.host if context else None
        )
    except BaseException:
        plain.close()
        raise
    return connection


def _numeric(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()


@cache
def _verifying() -> ssl.SSLContext:
    """TLS with the system's certificates and host names checked."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
