"""The console of a running gateway over HTTP; test_console_in_browser.py has it in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aiohttp
from fakes.running_gateway import MODEL, launched, until

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

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


async def test_an_operator_looks_and_acts_through_any_worker() -> None:
    async with launched(CONFIG, workers=2, key=KEY, env={"ADMIN_TOKEN": TOKEN}) as gateway:
        for _ in range(2):
            assert (await gateway.embed(["a cat", "a kitten"])).status == 200
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
                return bool(re.search(r"Requests</dt><dd>2</dd>", await page("")))

            assert "Admin token" in await page("")
            assert "answers" in await send("login", token=TOKEN)
            await until(counted, 0.2)
            assert ">2</dd>" in await page("")
            for path in ("/tenants", "/keys", "/usage", "/limits", "/cache", "/backends", "/jobs", "/config"):
                assert "aria-current" in await page(path)
            assert "shop" in await send("tenants", name="shop", tier="tier1")
            made = re.findall(r"jina_[0-9a-f]{60}", await send("keys", tenant="shop"))[0]

            async def good() -> bool:
                return (await gateway.embed("a", made)).status == 200

            await until(good)
            tried = await send("playground", model=f"embeddings {MODEL}", texts="a cat\na kitten", key=KEY)
            assert "gateway; hit" in tried
            assert "1.000" in tried
        assert (await gateway.get("/console")).status == 404
        for secret in (TOKEN, made, "a kitten"):
            assert secret not in gateway.logged() + gateway.said()
