from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.cli.warm import AT_ONCE, TRIES, Warmed, Warmer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GOOD = {"X-Gateway-Cache-Hits": "1", "X-Gateway-Cache-Misses": "2"}


class Scripted:
    """A gateway that answers 200, unless the input is a status to answer once or always."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.keys: set[str] = set()
        self.busy: dict[str, int] = {}
        self.now = self.most = 0

    async def embeddings(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        body = await request.json()
        await asyncio.sleep(0)
        self.now -= 1
        self.bodies.append(body)
        self.keys.add(request.headers["Authorization"])
        asked = body["input"]
        if self.busy.get(asked, 0) > 0:
            self.busy[asked] -= 1
            return web.json_response({}, status=429, headers={"Retry-After": "7"})
        if asked == "bad":
            return web.json_response({"code": "INPUT_INVALID", "detail": "quotes the secret text"}, status=422)
        if asked == "page":
            return web.Response(text="<html>", status=502)
        if asked == "moved":
            raise web.HTTPFound("/elsewhere")
        return web.json_response({}, headers=GOOD)


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def url(scripted: Scripted) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/v1/embeddings", scripted.embeddings)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


async def warmed(url: str, lines: list[bytes]) -> tuple[Warmed, list[str], list[float]]:
    said: list[str] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    done: list[int] = []
    totals = await Warmer(url, "key", said.append, sleep).run(iter(lines), done.append)
    assert len(done) == len([line for line in lines if line.strip()])
    return totals, sorted(said), slept


def line(text: str) -> bytes:
    return json.dumps({"model": "m", "input": text}).encode() + b"\n"


async def test_every_line_is_sent_four_at_a_time(scripted: Scripted, url: str) -> None:
    totals, said, _ = await warmed(url, [line(f"t{number}") for number in range(40)] + [b"\n"])
    assert totals == Warmed(hits=40, misses=80)
    assert said == []
    assert sorted(body["input"] for body in scripted.bodies) == sorted(f"t{number}" for number in range(40))
    assert scripted.keys == {"Bearer key"}
    assert scripted.most <= AT_ONCE


async def test_retry_after_is_honoured(scripted: Scripted, url: str) -> None:
    scripted.busy["t"] = 2
    assert await warmed(url, [line("t")]) == (Warmed(1, 2), [], [7.0, 7.0])


async def test_a_gateway_that_stays_busy_is_given_up(scripted: Scripted, url: str) -> None:
    scripted.busy["t"] = 1_000
    totals, said, slept = await warmed(url, [line("t")])
    assert (totals, said) == (Warmed(failed=1), [f"line 1: 429 after {TRIES} tries"])
    assert slept == [7.0] * TRIES


async def test_bad_lines_are_named_skipped_and_not_quoted(scripted: Scripted, url: str) -> None:
    lines = [b"{secret", b'["secret"]', b'{"model": "m"}', b"\xff", line("bad"), line("page"), line("moved"), line("t")]
    totals, said, _ = await warmed(url, lines)
    assert totals == Warmed(1, 2, 7)
    assert said == [
        "line 1: not JSON",
        "line 2: not an object with model and input",
        "line 3: not an object with model and input",
        "line 4: not JSON",
        "line 5: 422 INPUT_INVALID",
        "line 6: 502",
        "line 7: 302",
    ]
    assert len(scripted.bodies) == 4


async def test_a_gateway_that_is_not_there() -> None:
    totals, said, _ = await warmed("http://127.0.0.1:1", [line("t")])
    assert (totals, said) == (Warmed(failed=1), ["line 1: no answer (ClientConnectorError)"])
