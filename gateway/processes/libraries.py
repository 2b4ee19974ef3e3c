"""E: whether the libraries that read what strangers send are the ones that are fit for it."""

from __future__ import annotations

import re

AIOHTTP_FLOOR = (3, 14, 5)
"""The oldest without known advisories about its server (2026-11)."""


def misfits(aiohttp_version: str, *, parses_in_c: bool, reads_replies_in_c: bool) -> list[str]:
    """Sentences, each with a remedy; none where all is well."""
    found = []
    version = tuple(int(part) for part in re.findall(r"\d+", aiohttp_version)[:3])
    if version < AIOHTTP_FLOOR:
        floor = ".".join(map(str, AIOHTTP_FLOOR))
        found.append(f"aiohttp {aiohttp_version} has known advisories; install {floor} or later")
    if not parses_in_c:
        found.append("aiohttp reads HTTP in Python; install a wheel with its extensions, unset AIOHTTP_NO_EXTENSIONS")
    if not reads_replies_in_c:
        found.append("redis-py reads replies in Python; install hiredis")
    return found


def installed_misfits() -> list[str]:
    """The same of what is installed. uvloop and orjson have no slower stand-in: without them nothing starts."""
    import aiohttp  # noqa: PLC0415 - the supervisor has no use for these
    from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy  # noqa: PLC0415 - as above
    from redis.utils import HIREDIS_AVAILABLE  # noqa: PLC0415 - as above

    return misfits(
        aiohttp.__version__,
        parses_in_c=HttpRequestParser is not HttpRequestParserPy,
        reads_replies_in_c=HIREDIS_AVAILABLE,
    )
