"""The console of a running gateway: over HTTP, and in a real browser."""

from __future__ import annotations

import asyncio
import re
import shutil
from importlib import resources
from typing import TYPE_CHECKING

import aiohttp
import pytest
from fakes.running_gateway import MODEL, launched, until

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.running_gateway import Gateway

BROWSER = shutil.which("chromium")
TOKEN = "canary-of-the-console-token"
CONFIG = """
tenants: {search: {tier: tier1, keys: [key-of-the-search-tenant]}}
admin: {port: 0, token: "${ADMIN_TOKEN}"}
observe: {log_sample: 1.0, log_level: debug}
"""
KEY = "key-of-the-search-tenant"
SAME = {"Sec-Fetch-Site": "same-origin"}


def console_of(gateway: Gateway) -> str:
    return gateway.said().partition("Console:")[2].split()[0]


async def seen_in_browser(url: str, folder: Path, *options: str) -> tuple[str, str]:
    """The page as the browser has it, and what the browser said about it."""
    assert BROWSER is not None
    usual = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr")
    process = await asyncio.create_subprocess_exec(
        *(BROWSER, *usual, f"--user-data-dir={folder / 'browser'}", "--dump-dom", *options, url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    page, said = await process.communicate()
    return page.decode(), said.decode()


async def test_an_operator_looks_and_acts_through_any_worker(tmp_path: Path) -> None:
    async with launched(CONFIG, workers=2, key=KEY, env={"ADMIN_TOKEN": TOKEN}) as gateway:
        await gateway.embed(["a cat", "a kitten"])
        await gateway.embed(["a cat", "a kitten"])
        url = console_of(gateway)
        jar = aiohttp.CookieJar(unsafe=True)  # addresses have no cookies otherwise
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(cookie_jar=jar, headers=SAME, connector=connector) as http:

            async def page(path: str) -> str:
                async with http.get(url + path) as answer:
                    assert answer.status == 200
                    return await answer.text()

            async def send(form: str, **fields: str) -> str:
                proof = re.findall(r'name="proof" value="([0-9a-f]{64})"', await page(""))
                async with http.post(f"{url}/{form}", data={**fields, "proof": (proof or [""])[0]}) as answer:
                    assert answer.status == 200
                    return await answer.text()

            async def counted() -> bool:
                return bool(re.search(r"Requests, 7 days</dt><dd>2</dd>", await page("")))

            assert "Admin token" in await page("")
            assert "answers" in await send("login", token=TOKEN)
            await until(counted)
            assert ">2</dd>" in await page("")
            for path in ("/tenants", "/keys", "/usage", "/backends", "/jobs", "/config"):
                assert "aria-current" in await page(path)
            assert "shop" in await send("tenants", name="shop", tier="tier1")
            made = re.findall(r"jina_[0-9a-f]{60}", await send("keys", tenant="shop"))[0]

            async def good() -> bool:
                return (await gateway.embed("a", made)).status == 200

            await until(good)
            tried = await send("playground", model=MODEL, texts="a cat\na kitten", key=KEY)
            overview = await page("")
            assert "gateway; hit" in tried
            assert "1.000" in tried
        assert (await gateway.get("/console")).status == 404
        for secret in (TOKEN, made, "a kitten"):
            assert secret not in gateway.logged() + gateway.said()
        await _looked_at(url, overview, tmp_path)


async def _looked_at(url: str, overview: str, folder: Path) -> None:
    """The pictures stay in the folder of the test: the login as a phone has it, the overview from a file."""
    if BROWSER is None:
        pytest.skip("Chromium comes with the system's packages: apt-get install chromium")
    shot = folder / "login.png"
    page, said = await seen_in_browser(url, folder, "--window-size=390,844", f"--screenshot={shot}")
    assert "Admin token" in page
    assert "Content Security Policy" not in said
    assert "ERROR:CONSOLE" not in said
    assert shot.stat().st_size > 1_000
    style = resources.files("gateway.edge.console") / "style.css"
    (folder / "overview.html").write_text(overview.replace("/console/style.css", str(style)))
    shot = folder / "overview.png"
    page, _ = await seen_in_browser(
        f"file://{folder}/overview.html", folder, "--window-size=1100,900", f"--screenshot={shot}"
    )
    assert "<rect" in page
    assert shot.stat().st_size > 1_000
