"""E: the console over HTTP, on fakes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fakes.console import SAME, TOKEN, World, served_console
from fakes.gateway import SEARCH_KEY, SECRET
from fakes.jina_upstream import KEY as UPSTREAM_KEY

from gateway.authenticate import digest
from gateway.config.accounts import RuntimeKey, RuntimeTenant
from gateway.edge.console.session import COOKIE, LIFE_SECONDS, opened
from gateway.ports.jobs import Order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGES = (
    *("", "/usage", "/limits", "/cache", "/backends", "/jobs", "/tenants", "/keys", "/playground", "/config"),
    "/limits?tenant=search",
)
FORMS = (*("tenants", "tenants/switch", "keys", "keys/rotate", "keys/revoke", "playground", "cache/purge", "logout"),)
OURS = '<script src="/console/live.js" defer></script>'
SCRIPT = "<script>alert(1)</script>"
FOREIGN = re.compile(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:|(src|href|action)=\"(?!/console|#main)")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with served_console() as made:
        yield made


async def test_the_token_opens_a_session_that_shows_every_page(world: World) -> None:
    world.cookie = ""
    _, form = await world.get("/login")
    assert '<label for="token">' in form
    answer, _ = await world.send("login", {"token": TOKEN}, proof="")
    assert (answer.status, answer.headers["Location"]) == (303, "/console")
    set_cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/console", f"Max-Age={LIFE_SECONDS}"):
        assert part in set_cookie
    assert "Secure" not in set_cookie
    assert TOKEN not in set_cookie
    world.cookie = answer.cookies[COOKIE].value
    for page in PAGES:
        shown, text = await world.get(page)
        assert (shown.status, shown.content_type) == (200, "text/html"), page
        assert shown.headers["Cache-Control"] == "no-store"
        assert "aria-current" in text
    assert (await world.get("/login"))[0].headers["Location"] == "/console"
    left, _ = await world.send("logout", {})
    assert left.headers["Location"] == "/console/login"
    assert "Max-Age=0" in left.headers["Set-Cookie"]


async def test_behind_https_the_cookie_is_for_https_alone(world: World) -> None:
    answer, _ = await world.send("login", {"token": TOKEN}, {**SAME, "X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]


async def test_wrong_tokens_are_limited_by_address(world: World) -> None:
    world.cookie = ""
    said = [(await world.send("login", {"token": "wrong"}, proof=""))[0].status for _ in range(5)]
    assert said == [401, 401, 401, 429, 429]
    assert (await world.send("login", {}, proof=""))[0].status == 429
    assert (await world.send("login", {"token": TOKEN}, proof=""))[0].status == 303


def other_sessions() -> list[str]:
    good = opened("nonce", 1_000, digest(TOKEN, SECRET), SECRET)
    return [
        "",
        "x",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.replace(str(1_000 + LIFE_SECONDS), str(2_000 + LIFE_SECONDS)),
        opened("nonce", 1_000, digest("another-token-than-ours", SECRET), SECRET),
        opened("nonce", 1_000, digest(TOKEN, SECRET), SECRET[::-1]),
        opened("nonce", 1_000 - LIFE_SECONDS, digest(TOKEN, SECRET), SECRET),
    ]


@pytest.mark.parametrize("cookie", other_sessions())
async def test_without_a_session_nothing_is_shown_and_nothing_done(world: World, cookie: str) -> None:
    assert world.gateway.clock.epoch() == 1_000
    world.cookie = cookie
    for page in (*PAGES, "/none"):
        answer, text = await world.get(page)
        assert (answer.status, answer.headers["Location"], text) == (303, "/console/login", "")
    for form in FORMS:
        answer, _ = await world.send(form, {"name": "shop", "tenant": "search"})
        assert (answer.status, answer.headers["Location"]) == (303, "/console/login")
    assert not world.accounts.log


@pytest.mark.parametrize("form", [*FORMS, "login"])
@pytest.mark.parametrize(
    ("headers", "proof", "status"),
    [
        ({}, None, 403),
        ({"Sec-Fetch-Site": "cross-site"}, None, 403),
        ({"Sec-Fetch-Site": "same-site"}, None, 403),
        ({"Origin": "http://elsewhere.test"}, None, 403),
        ({"Origin": "null"}, None, 403),
        ({"Origin": "OURS", "Sec-Fetch-Site": "cross-site"}, None, 403),
        (SAME, "", 403),
        (SAME, "0" * 64, 403),
    ],
)
async def test_a_form_of_somebody_elses_does_nothing(
    world: World, form: str, headers: dict[str, str], proof: str | None, status: int
) -> None:
    if form == "login" and proof is not None:
        return
    ours = {name: world.url if value == "OURS" else value for name, value in headers.items()}
    answer, _ = await world.send(form, {"name": "shop", "tenant": "search", "token": TOKEN}, ours, proof=proof)
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers
    assert not world.accounts.log


async def test_a_browser_that_names_its_origin_alone_is_believed(world: World) -> None:
    answer, _ = await world.send("tenants", {"name": "shop"}, {"Origin": world.url})
    assert answer.status == 303
    assert world.accounts.log[0].who == "console:127.0.0.1"


async def test_keys_from_their_making_to_their_end(world: World) -> None:
    await world.send("tenants", {"name": "shop", "tier": "small", "cache_scope": ""})
    _, page = await world.send("keys", {"tenant": "shop", "name": "ci", "expires_in": "60"})
    first = re.findall(r"jina_[0-9a-f]{60}", page)
    assert len(first) == 1
    key_id, record = next(iter(world.accounts.keys.items()))
    assert (record.digest, record.expires) == (digest(first[0], SECRET).hex(), 1_060)
    assert first[0] not in (await world.get("/keys"))[1]
    _, page = await world.send("keys/rotate", {"id": key_id, "grace": "30"})
    second = re.findall(r"jina_[0-9a-f]{60}", page)
    assert len(second) == 1
    assert second != first
    new_id = next(name for name in world.accounts.keys if name != key_id)
    assert (await world.send("keys/revoke", {"id": new_id}))[0].status == 303
    assert world.accounts.keys[new_id].revoked == 1_000
    assert "revoked" in (await world.get("/keys"))[1]
    await world.send("tenants/switch", {"name": "shop", "enabled": "no"})
    assert not world.accounts.tenants["shop"].enabled


@pytest.mark.parametrize(
    ("form", "fields", "status"),
    [
        ("tenants", {"name": SCRIPT}, 422),
        ("tenants", {"name": "shop", "keys": "x"}, 422),
        ("tenants", {"name": "search"}, 422),
        ("tenants", {"name": "x" * 70_000}, 413),
        ("tenants/switch", {"name": SCRIPT, "enabled": "no"}, 404),
        ("keys", {"tenant": SCRIPT}, 422),
        ("keys", {"tenant": "search", "expires_in": "soon"}, 422),
        ("keys/revoke", {"id": SCRIPT}, 404),
        ("none", {}, 404),
    ],
)
async def test_what_makes_no_sense_is_refused_on_a_page(
    world: World, form: str, fields: dict[str, str], status: int
) -> None:
    answer, text = await world.send(form, fields)
    assert (answer.status, answer.content_type) == (status, "text/html")
    assert "<script" not in text
    assert not world.accounts.log


async def test_whatever_the_store_holds_is_escaped_and_no_page_has_a_script(world: World) -> None:
    """Records that no form would make, as a damaged store may have them."""
    world.accounts.tenants[SCRIPT] = RuntimeTenant.model_construct(tier=SCRIPT, org=SCRIPT)
    world.accounts.keys[SCRIPT] = RuntimeKey.model_construct(
        tenant=SCRIPT, name=SCRIPT, digest="", created=1, expires=None, revoked=None
    )
    await world.jobs.create(Order(SCRIPT, SCRIPT, SCRIPT, SCRIPT, 1, 2), 10, 9)
    sent, _ = await world.send("playground", {"model": SCRIPT, "texts": f"{SCRIPT}\n</textarea>{SCRIPT}", "key": "x"})
    assert sent.status == 200
    texts = [(await world.get(page))[1] for page in (*PAGES, f"/usage?tenant={SCRIPT}", f"/{SCRIPT}")]
    texts.append((await world.send("playground", {"model": "m", "texts": f"</textarea>{SCRIPT}", "key": "x"}))[1])
    assert sum("&lt;script&gt;" in text for text in texts) >= 6
    for text in texts:
        assert not FOREIGN.search(text.replace(OURS, "")), text


async def test_pages_load_nothing_from_elsewhere_and_run_nothing(world: World) -> None:
    assets = (("/style.css", "text/css"), ("/icon.svg", "image/svg+xml"), ("/live.js", "text/javascript"))
    for path, kind in (("", "text/html"), *assets):
        answer, text = await world.get(path)
        assert (answer.status, answer.content_type) == (200, kind)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "@import" not in text
    world.cookie = ""
    assert (await world.get("/style.css"))[0].status == 200
    assert (await world.get("/templates/layout.html"))[0].status == 303


async def test_secrets_are_nowhere(world: World) -> None:
    texts = "".join([(await world.get(page))[1] for page in PAGES])
    for secret in (TOKEN, SEARCH_KEY, UPSTREAM_KEY):
        assert secret not in texts
    assert 'admin.token</code></td><td data-label="Value"><code>hidden' in texts
    assert 'backends.jina.dialect</code></td><td data-label="Value"><code>jina' in texts


async def test_the_playground_asks_as_a_client_would(world: World) -> None:
    fields = {"model": "jina-embeddings-v3", "texts": "one\ntwo\n\none", "key": SEARCH_KEY}
    _, page = await world.send("playground", fields)
    assert "3 vectors of 1,024 numbers" in page
    assert "gateway; fwd=miss" in page
    assert SEARCH_KEY not in page
    assert page.count("1.000") >= 5
    _, page = await world.send("playground", fields)
    assert "gateway; hit" in page
    _, page = await world.send("playground", fields | {"new": "yes"})
    assert "gateway; fwd=miss" in page
    for wrong in ({"key": ""}, {"key": "nobodys"}, {"texts": ""}, {"texts": "a\n" * 13}, {"model": ""}):
        _, page = await world.send("playground", fields | wrong)
        assert 'role="alert"' in page
    await world.gateway.books.flush()
    _, page = await world.get("/usage?tenant=search")
    assert "jina-embeddings-v3" in page
    assert "<rect" in page
    assert "well" in (await world.get("/backends"))[1]
    assert "(67 %)" in (await world.get(""))[1] or "saved" in page


async def test_without_a_store_the_overview_says_so(world: World) -> None:
    world.gateway.quota.down = world.gateway.ledger.away = world.accounts.down = world.jobs.down = True
    answer, text = await world.get("")
    assert (answer.status, "does not answer" in text) == (200, True)
    assert "Last 15 minutes" in text, "what can be read is shown"
    answer, text = await world.get("/jobs")
    assert (answer.status, "The store does not answer" in text) == (503, True)


async def test_jobs_show_how_far_they_are(world: World) -> None:
    await world.jobs.create(Order("batch_1", "search", "k", "jina-embeddings-v3", 1, 2), 1_200, 9)
    _, text = await world.get("/jobs")
    assert '<progress max="1200" value="0"' in text
    assert "0 of 1,200" in text


async def test_other_methods_are_refused(world: World) -> None:
    answer, _ = await world.get("", "DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert (await world.get("", "HEAD"))[0].status == 200
