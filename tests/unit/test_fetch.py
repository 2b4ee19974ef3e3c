from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.errors import AddressError, TransportError
from gateway.fetch import Fetcher
from gateway.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
ALLOWED = (ip_network(f"{HERE}/32"),)
LIMIT = 100_000


class Resolver(AbstractResolver):
    """Answers each look-up with the next of some lists of addresses; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        del family
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Site:
    """Two servers on one port: one that a client may reach, at HERE, and one ELSEWHERE that must never be."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[web.Request] = []
        self.hits = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        match request.path:
            case "/never":
                await asyncio.Event().wait()
            case "/missing":
                raise web.HTTPNotFound(text="the secret of the house")
            case "/packed":
                return web.Response(body=b"x", headers={"Content-Encoding": "gzip"})
            case "/endless":
                response = web.StreamResponse()
                await response.prepare(request)
                for _ in range(1_000):
                    await response.write(b"x" * 10_000)
                return response
            case "/loop":
                raise web.HTTPFound("/loop", headers={"Set-Cookie": "a=b"})
            case "/to":
                return web.Response(
                    status=int(request.query.get("status", 302)), headers={"Location": request.query["at"]}
                )
        return web.Response(body=b"y" * int(request.query.get("size", 3)), headers={"Set-Cookie": "a=b"})

    async def hit(self, _: web.Request) -> web.StreamResponse:
        self.hits += 1
        return web.Response(text="private")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    runners = []
    for address, handler in ((HERE, made.answer), (ELSEWHERE, made.hit)):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, address, made.port).start()
        made.port = runner.addresses[0][1]
        runners.append(runner)
    yield made
    for runner in runners:
        await runner.cleanup()


async def fetched(url: str, *addresses: Sequence[str], seconds: float = 5.0, limit: int = LIMIT) -> bytes:
    """What a fetcher gets whose resolver gives these addresses."""
    fetcher = Fetcher(ALLOWED, Resolver(*(addresses or ([HERE],))))
    try:
        return await fetcher.fetch(url, limit, seconds)
    finally:
        await fetcher.close()


async def test_what_is_there_comes_without_anything_of_ours(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{ELSEWHERE}:{site.port}")
    assert await fetched(f"http://data.example:{site.port}/x") == b"yyy"
    assert await fetched(f"http://{HERE}:{site.port}/x?size={LIMIT}") == b"y" * LIMIT
    assert site.seen[0].headers["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie", "Referer"} & site.seen[0].headers.keys()
    assert site.hits == 0


FORBIDDEN = [
    ([ELSEWHERE],),
    (["::1"],),
    (["::ffff:127.0.0.2"],),
    (["64:ff9b::7f00:2"],),
    (["169.254.169.254", "10.0.0.1", "fd00:ec2::254"],),
]


@pytest.mark.parametrize("addresses", FORBIDDEN)
async def test_a_name_of_a_private_place_is_not_connected_to(site: Site, addresses: tuple[list[str], ...]) -> None:
    with pytest.raises(AddressError, match="no public address"):
        await fetched(f"http://data.example:{site.port}/x", *addresses)
    assert site.hits == 0


async def test_a_name_that_moves_between_two_looks_gains_nothing(site: Site) -> None:
    resolver = Resolver([HERE], [ELSEWHERE])
    fetcher = Fetcher(ALLOWED, resolver)
    url = f"http://data.example:{site.port}/x"
    assert await fetcher.fetch(url, LIMIT, 5) == b"yyy"
    with pytest.raises(AddressError):
        await fetcher.fetch(url, LIMIT, 5)
    await fetcher.close()
    assert (site.hits, resolver.asked) == (0, 2)


async def test_of_several_addresses_only_a_good_one_is_used(site: Site) -> None:
    assert await fetched(f"http://data.example:{site.port}/x", [ELSEWHERE, HERE]) == b"yyy"
    assert site.hits == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_to_a_good_address(site: Site, status: int) -> None:
    assert await fetched(f"http://{HERE}:{site.port}/to?status={status}&at=/x%3Fsize=5") == b"yyyyy"
    assert "Cookie" not in site.seen[-1].headers


AWAY = ["http://{elsewhere}:{port}/x", "//{elsewhere}:{port}/x", "http://u:p@{here}:{port}/x", "file:///etc/passwd"]


@pytest.mark.parametrize("at", [*AWAY, "http://2130706434:{port}/x", "http://[::ffff:7f00:2]:{port}/x", ""])
async def test_a_redirect_to_a_bad_address_is_not(site: Site, at: str) -> None:
    target = at.format(here=HERE, elsewhere=ELSEWHERE, port=site.port).replace(":", "%3A")
    with pytest.raises((AddressError, TransportError)):
        await fetched(f"http://{HERE}:{site.port}/to?at={target}")
    assert site.hits == 0


async def test_a_redirect_to_a_name_of_a_private_place_is_not(site: Site) -> None:
    with pytest.raises(AddressError):
        await fetched(f"http://data.example:{site.port}/to?at=http://other.example:{site.port}/x", [HERE], [ELSEWHERE])
    assert (site.hits, len(site.seen)) == (0, 1)


FAILURES = [
    ("/loop", "too many redirects"),
    ("/missing", "status 404"),
    ("/packed", "compressed"),
    ("/endless", "too large"),
]


@pytest.mark.parametrize(("path", "said"), [*FAILURES, (f"/x?size={LIMIT + 1}", "too large"), ("/never", "in time")])
async def test_what_is_not_taken_says_why_and_quotes_nothing(site: Site, path: str, said: str) -> None:
    with pytest.raises(TransportError, match=said) as raised:
        await fetched(f"http://{HERE}:{site.port}{path}", seconds=0.5 if path == "/never" else 5)
    assert raised.value.timed_out is (path == "/never")
    assert "secret" not in str(raised.value)
    assert len(site.seen) == (4 if path == "/loop" else 1)


async def test_nobody_there_is_no_answer(site: Site) -> None:
    with pytest.raises(TransportError, match="no connection"):
        await fetched(f"http://{HERE}:1/{site.port}")


async def test_what_the_reader_of_chunks_does_wrong_is_its_own(site: Site) -> None:
    fetcher = Fetcher(ALLOWED)

    async def keep() -> None:
        async with fetcher.open(f"http://{HERE}:{site.port}/x", LIMIT, 5) as chunks:
            async for _ in chunks:
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await keep()
    await fetcher.close()


async def test_a_post_is_not_redirected_and_is_https_elsewhere(site: Site) -> None:
    upstream = Upstream({}, ALLOWED)
    target = f"http://{HERE}:{site.port}/to?at=http://{ELSEWHERE}:{site.port}/"
    assert await upstream.foreign.post(target, b"{}", {"webhook-id": "1"}, 5) == 302
    assert site.seen[0].headers["webhook-id"] == "1"
    with pytest.raises(AddressError):
        await upstream.foreign.post(f"http://{ELSEWHERE}:{site.port}/", b"{}", {}, 5)
    await upstream.close()
    public = Fetcher()
    with pytest.raises(AddressError, match="https"):
        await public.post("http://example.com/", b"{}", {}, 5)
    await public.close()
    assert site.hits == 0
