"""The API's page in a real browser, which gets nothing from elsewhere."""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.running_gateway import Gateway

BROWSER = shutil.which("chromium")


async def seen_in_browser(url: str, folder: Path) -> tuple[str, str]:
    """The page as it is after its scripts have run, and what the browser said about it."""
    assert BROWSER is not None
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr")
    process = await asyncio.create_subprocess_exec(
        *(BROWSER, *options, f"--user-data-dir={folder}", "--virtual-time-budget=20000", "--dump-dom", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    page, said = await process.communicate()
    return page.decode(), said.decode()


@pytest.mark.skipif(BROWSER is None, reason="Chromium comes with the system's packages: apt-get install chromium")
async def test_the_page_shows_every_operation_from_local_parts(remote: Gateway, tmp_path: Path) -> None:
    page, said = await seen_in_browser(f"{remote.url}/docs", tmp_path)
    described = (await remote.get("/openapi.json")).json
    shown = {re.sub(r"<[^>]*>|\u200b", "", path) for path in re.findall(r'data-path="([^"]*)"', page)}
    assert shown == set(described["paths"])
    assert "Content Security Policy" not in said
    assert "ERROR:CONSOLE" not in said


async def test_its_parts_come_plain_too_and_nothing_else_is_there(remote: Gateway) -> None:
    for path, kind in (
        ("/docs", "text/html"),
        ("/docs/start.js", "text/javascript"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
    ):
        plain = await remote.get(path, **{"Accept-Encoding": "identity"})
        assert (plain.status, plain.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert "Content-Encoding" not in plain.headers
        packed = await remote.get(path, **{"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "default-src 'none'" in packed.headers["Content-Security-Policy"]
    for path in ("/docs/../pyproject.toml", "/docs/NOTICE", "/docs/__init__.py", "/docs/x"):
        assert (await remote.get(path)).failure == (404, "RESOURCE_NOT_FOUND")
    assert (await remote.post("/docs", {})).failure == (405, "METHOD_NOT_ALLOWED")
