"""The console of a running gateway in a real Chromium: logged in, on a desk and on a phone, with keys alone.

The pictures stay in the folder that $GATEWAY_PICTURES names, else in that of the test.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes.browser import CHROMIUM, browsing
from fakes.running_gateway import MODEL, launched, until

if TYPE_CHECKING:
    from fakes.browser import Page
    from fakes.running_gateway import Gateway

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium comes with the system: apt-get install chromium")

TOKEN = "canary-of-the-console-token"
KEY, OTHER = "key-of-the-search-tenant", "key-of-the-blog-tenant"
CONFIG = """
tiers:
  metered:
    rpm: 600
    tpm: 40000
    concurrency: 20
    each_key: {rpm: 300}
    budgets: [{per: day, usd: "5"}]
tenants:
  search: {tier: metered, keys: [key-of-the-search-tenant], prices: {all-MiniLM-L6-v2: "0.0000005"}}
  blog: {tier: tier1, keys: [key-of-the-blog-tenant]}
admin: {port: 0, token: "${ADMIN_TOKEN}"}
"""
PAGES = ("", "usage", "limits", "cache", "backends", "jobs", "tenants", "keys", "playground", "config")
LOOKS = {"desk-light": (1280, 900, False), "desk-dark": (1280, 900, True), "phone": (360, 780, False)}
TEXTS = ("A cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose by half a point.")
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
UNNAMED = """[...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a")].filter(
  (part) => !(part.labels?.length || part.getAttribute("aria-label") || part.textContent.trim())).length"""

CUT_OFF = """[...document.querySelectorAll("svg text")].filter((part) => {
  const [own, all] = [part, part.ownerSVGElement].map((shape) => shape.getBoundingClientRect());
  return own.left < all.left - 1 || own.right > all.right + 1;
}).map((part) => part.textContent)"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("GATEWAY_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def console_of(gateway: Gateway) -> str:
    return gateway.said().partition("Console:")[2].split()[0]


async def logged_in(page: Page, url: str) -> None:
    await page.open(url)
    await page.run(f"document.querySelector('#token').value = '{TOKEN}'")
    await page.run("document.querySelector('form').requestSubmit()", loads=True)
    assert await page.run("document.querySelector('h1').textContent") == "Overview"


async def traffic(gateway: Gateway) -> None:
    """Hits, misses, copies and refusals of two tenants."""
    for turn in range(4):
        await gateway.embed([*TEXTS, TEXTS[0], f"text {turn}"], KEY)
        await gateway.rerank("Which animal sleeps?", TEXTS, OTHER)
    await gateway.post("/v1/embeddings", {"model": "nobody", "input": "x"}, KEY)


async def test_an_operator_looks_at_every_page_and_acts(pictures: Path) -> None:
    async with launched(CONFIG, workers=2, key=KEY, env={"ADMIN_TOKEN": TOKEN}) as gateway, browsing() as page:
        url = console_of(gateway)
        await logged_in(page, url)
        await with_keys_alone(page)
        await traffic(gateway)
        await until(lambda: drawn(page), 0.2)  # nobody loads the page anew
        assert (await page.run("document.querySelector('#updated').textContent")).startswith("Updated")
        await page.run("document.querySelector('#pause').click()")
        assert await page.run("document.querySelector('#pause').textContent") == "Resume"
        for path in PAGES:
            await page.open(f"{url}/{path}")
            await looked_at(page, pictures, path or "overview")
        await played(page, url, pictures)
        await purged(page, url, pictures)
        cookies = (await page.do("Network.getCookies"))["cookies"]
        assert [(entry["httpOnly"], entry["sameSite"]) for entry in cookies] == [(True, "Strict")]
        # A session that ended elsewhere leads to the login, not to old figures.
        await page.open(url)
        await page.do("Network.clearBrowserCookies")
        await until(lambda: at_login(page), 0.2)
        assert page.complaints == []


async def looked_at(page: Page, pictures: Path, name: str) -> None:
    """On a desk, light and dark, and on a phone: nothing is too wide or cut off, and every control has a name."""
    for look, (width, height, dark) in LOOKS.items():
        await page.look(width, height, dark=dark)
        await page.picture(pictures / f"{name}-{look}.png")
        assert not await page.run(SIDEWAYS), (name, look)
        assert await page.run(CUT_OFF) == [], (name, look)
    assert await page.run(UNNAMED) == 0, name


async def with_keys_alone(page: Page) -> None:
    """The first stop leads past the heads of the page."""
    await page.press("Tab", 9)
    assert await page.run("document.activeElement.className") == "skip"
    await page.press("Enter", 13)
    assert await page.run("location.hash") == "#main"
    await page.press("Tab", 9)
    assert await page.run("document.activeElement.id") == "pause"
    await page.run("document.activeElement.blur(); history.replaceState(null, '', location.pathname)")


async def drawn(page: Page) -> bool:
    """Whether the charts have something to show."""
    return not await page.run("document.querySelector('#plots').textContent.includes('nothing in 15 minutes')")


async def played(page: Page, url: str, pictures: Path) -> None:
    """The playground embeds and ranks, and shows the way that the call took."""
    for kind, query in (("embeddings", ""), ("rerank", "Which animal sleeps?")):
        await page.open(f"{url}/playground")
        texts = "\\n".join((*TEXTS, TEXTS[0], f"To {kind}"))
        fields = {"model": f"{kind} {MODEL}", "query": query, "texts": texts, "key": KEY}
        for field, value in fields.items():
            await page.run(f"document.querySelector('#{field}').value = '{value}'")
        await page.run("document.querySelector('main form').requestSubmit()", loads=True)
        text = await page.run("document.querySelector('main').innerText")
        for part in ("The route it took", "dispatch", "miss", "hit", "duplicate", "answered"):
            assert part in text, (part, text)
        await looked_at(page, pictures, f"played-{kind}")


async def at_login(page: Page) -> bool:
    try:
        return bool(await page.run("location.pathname === '/console/login'"))
    except AssertionError:  # between two pages
        return False


async def purged(page: Page, url: str, pictures: Path) -> None:
    await page.look(*LOOKS["desk-light"][:2])
    await page.open(f"{url}/cache")
    await page.run("document.querySelector('#purge + form').requestSubmit()", loads=True)
    await page.picture(pictures / "purge.png")
    assert "all answers" in await page.run("document.querySelector('main').innerText")
    await page.run("document.querySelector('main form').requestSubmit()", loads=True)
    assert "answers were removed" in await page.run("document.querySelector('main').innerText")
