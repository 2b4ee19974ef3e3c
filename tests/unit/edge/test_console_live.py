"""The console's pages that show what happens now: charts, limits, the cache, the way of a call; and their JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from fakes.console import TOKEN, World, served_console
from fakes.gateway import SEARCH_KEY

from gateway.edge.console import cache_view
from gateway.edge.console.lately import FRESH_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    import aiohttp

EMBED = {"model": "embeddings jina-embeddings-v3", "texts": "one\ntwo\none", "key": SEARCH_KEY}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with served_console() as made:
        yield made


async def asked(world: World, path: str, token: str = TOKEN) -> tuple[aiohttp.ClientResponse, Any]:
    async with world.client.get(f"{world.url}/admin/{path}", headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer, orjson.loads(await answer.read())


async def beaten(world: World) -> None:
    """The worker tells what it did, and a page may show it."""
    await world.gateway.leases.tick()
    await world.pulse.beat()
    world.gateway.clock.now += 7


async def test_charts_show_what_workers_told(world: World) -> None:
    await world.pulse.beat()
    _, before = await world.get("")
    assert before.count("nothing in 15 minutes") == 6
    await world.send("playground", EMBED)
    await world.send("playground", EMBED)
    await beaten(world)
    _, page = await world.get("")
    assert "Requests a second, last 15 minutes: all now 0.133, at most 0.133" in page
    assert "Inputs answered from the cache, last 15 minutes: hit share now 67 %" in page
    assert page.count('class="curve') >= 8
    assert '<td data-label="Tenant">search</td>' in page


async def test_pages_that_live_say_so_to_the_script_and_the_others_do_not_load_it(world: World) -> None:
    for path in ("", "/limits", "/backends", "/jobs"):
        _, page = await world.get(path)
        assert page.count("/console/live.js") == 1, path
        assert 'data-every="5"' in page
        assert " data-live>" in page
    for path in ("/usage", "/cache", "/tenants", "/keys", "/playground", "/config"):
        _, page = await world.get(path)
        assert "/console/live.js" not in page, path


async def test_limits_are_shown_as_the_limiter_knows_them(world: World) -> None:
    await world.send("playground", EMBED)
    await beaten(world)
    _, page = await world.get("/limits?tenant=search")
    assert '<td data-label="Of">requests a minute</td>' in page
    assert '<td class="count" data-label="Left">9</td>' in page
    assert '<td data-label="Whose">other</td>' not in page
    assert '<td data-label="Whose">other</td>' in (await world.get("/limits"))[1]
    assert "No limits are in force for nobody" in (await world.get("/limits?tenant=nobody"))[1]
    answer, told = await asked(world, "limits?tenant=search")
    assert answer.status == 200
    assert told["limits"][0] == {
        "tenant": "search",
        "scope": "tenant",
        "name": "",
        "kind": "requests",
        "limit": 10,
        "used": 1,
        "left": 9,
        "share": 0.1,
        "shadow": False,
    }


async def test_the_admin_api_tells_the_same_to_programs(world: World) -> None:
    await world.pulse.beat()
    await world.send("playground", EMBED)
    await beaten(world)
    answer, told = await asked(world, "live")
    assert (answer.status, told["workers"]) == (200, 2)
    assert told["now"]["requests"] == pytest.approx(1 / 15)
    assert told["minute"]["hit_share"] == pytest.approx(1 / 3)
    assert told["minute"]["p99"] > 0
    assert told["limits"][0]["tenant"] == "search"
    assert told["tenants"][0]["tenant"] == "search"
    assert {model["state"] for model in told["backends"][0]["models"]} == {"well", "not asked yet"}
    for path in ("live", "limits"):
        answer, _ = await asked(world, path, "wrong-token-of-nobody")
        assert answer.status == 401
    world.live.down = True
    assert (await asked(world, "live"))[0].status == 503


async def test_backends_are_shown_as_all_workers_find_them(world: World) -> None:
    place = ["jina", "jina-embeddings-v3"]
    now = world.gateway.clock.epoch()
    for worker, state, at in (("a", "well", now), ("b", "open", now), ("c", "half open", now - FRESH_SECONDS - 1)):
        await world.live.report(worker, orjson.dumps({"at": at, "places": [[*place, state, 500]]}))
    _, page = await world.get("/backends")
    assert "open at 1 of 2" in page
    assert '<td class="count" data-label="Tokens under way">1,000</td>' in page
    assert "jina-embeddings-v3: open at 1 of 2" in (await world.get(""))[1]
    world.gateway.clock.now += 120
    assert "open at" not in (await world.get("/backends"))[1]
    assert not await world.live.reports()


async def test_the_cache_page_counts_a_small_cache_at_once_and_a_large_one_when_asked(world: World) -> None:
    await world.send("playground", EMBED)
    _, page = await world.get("/cache")
    assert "1,201" in page
    assert "5 MB" in page
    assert '<td data-label="Cause">duplicate</td>' in page
    assert '<td class="count" data-label="Hit share">33 %</td>' in page
    assert "In workers' memory</dt><dd>0 <small>0 B of 0 B</small>" in page, "no worker of this gateway has told yet"
    world.stock.keys = cache_view.QUICK_KEYS + 1
    _, page = await world.get("/cache")
    assert "Count them" in page
    assert world.stock.counted == 1
    _, page = await world.get("/cache?count=yes")
    assert "1,201" in page
    world.stock.down = True
    assert (await world.get("/cache"))[0].status == 503


async def test_a_purge_is_asked_for_twice_and_logged(world: World) -> None:
    form = {"model": "m1", "tenant": "search", "before": "1s"}
    _, page = await world.send("cache/purge", form)
    assert "Remove the answers of <code>m1</code> that <code>search</code> paid for" in page
    assert "all answers" in (await world.send("cache/purge", {}))[1]
    assert not world.stock.purged
    assert not world.accounts.log
    _, page = await world.send("cache/purge", form | {"confirm": "yes"})
    assert world.stock.purged == [("m1", "search", 999)]
    assert "1,234 answers were removed" in page
    entry = world.accounts.log[0]
    assert (entry.who, entry.what, entry.target, entry.details["tenant"]) == (
        "console:127.0.0.1",
        "cache purged",
        "m1",
        "search",
    )
    answer, _ = await world.send("cache/purge", {"before": "soon", "confirm": "yes"})
    assert answer.status == 422


async def test_a_long_purge_goes_on_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_view, "PATIENCE_SECONDS", 0.01)
    world.stock.hold = asyncio.Event()
    _, page = await world.send("cache/purge", {"confirm": "yes"})
    assert "it goes on by itself" in page
    world.stock.hold.set()
    await world.gateway.tasks.drain(1.0)


async def test_the_playground_shows_the_way_of_a_call(world: World) -> None:
    _, page = await world.send("playground", EMBED)
    for stage in ("authenticate", "validate", "admit", "plan", "dispatch", "assemble", "settle"):
        assert f'<td data-label="Stage">{stage}</td>' in page
    assert page.count(">miss</span>") == 2
    assert page.count(">duplicate</span>") == 1
    assert '<td data-label="Backend">jina</td>' in page
    _, page = await world.send("playground", EMBED | {"texts": "one\nthree"})
    assert page.count(">hit</span>") == 1
    assert page.count(">miss</span>") == 1
    _, page = await world.send("playground", EMBED | {"texts": "one"})
    assert "No backend was asked" in page
    assert "gateway; hit" in page


async def test_the_playground_reranks(world: World) -> None:
    fields = {
        "model": "rerank jina-reranker-v2-base-multilingual",
        "query": "q",
        "texts": "one\ntwo",
        "key": SEARCH_KEY,
    }
    _, page = await world.send("playground", fields)
    assert "2 documents" in page
    assert page.count('data-label="Sent as"') == 2
    assert page.count(">miss</span>") == 2
    listwise = fields | {"model": "rerank jina-reranker-v3"}
    assert "answers as one" in (await world.send("playground", listwise))[1]
    assert 'role="alert"' in (await world.send("playground", fields | {"model": "rerank nobody"}))[1]
