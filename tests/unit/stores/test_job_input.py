from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from fakes.object_storage import BUCKET, running_gcs, running_s3

from gateway.errors import AddressError, TransportError
from gateway.fetch import Fetcher
from gateway.stores.job_input import Caps, JobInput
from gateway.stores.objects import filesystem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from gateway.stores.objects import Filesystem

# The client of Google's storage sends large bodies in a way that aiohttp warns of, in a thread of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")

HERE = (ip_network("127.0.0.1/32"),)
CAPS = Caps(total=3_000_000, line=1_000, seconds=20.0)
PAGES = {
    "/in": b"\xef\xbb\xbf" + b'{"a":1}\r\n\r\n{"a":2}',
    "/wide": b"x" * 100_000,
    "/large": b"0123456789\n" * 300_000,
    "/packed.jsonl.gz": b"\x1f\x8b\x08\x00",
    "/nothing": b"",
}


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/never":
            await asyncio.Event().wait()
        if request.path == "/away":
            raise web.HTTPFound("http://10.0.0.1/in")
        if request.path == "/to-storage":
            raise web.HTTPFound(f"s3://{BUCKET}/in/a")
        if request.path not in PAGES:
            raise web.HTTPNotFound
        return web.Response(body=PAGES[request.path])

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://127.0.0.1:{1}".format(*runner.addresses[0])
    await runner.cleanup()


@pytest.fixture(params=["s3", "gs"], scope="module")
def storage(request: pytest.FixtureRequest) -> Iterator[tuple[str, Filesystem]]:
    with running_s3() if request.param == "s3" else running_gcs() as url:
        yield request.param, filesystem(request.param, url)


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    made = Fetcher(HERE)
    yield made
    await made.close()


def reader(fetcher: Fetcher, storage: tuple[str, Filesystem] | None = None, caps: Caps = CAPS) -> JobInput:
    scheme, made = storage or ("", None)
    return JobInput(fetcher, {scheme: made}, [f"{scheme}://{BUCKET}/in/"] if storage else [], caps)


async def lines(source: JobInput, url: str) -> list[bytes]:
    return [line async for line in source.lines(url)]


async def test_lines_come_from_an_address(site: str, fetcher: Fetcher) -> None:
    assert await lines(reader(fetcher), f"{site}/in") == [b'{"a":1}', b"", b'{"a":2}']
    assert await lines(reader(fetcher), f"{site}/nothing") == []
    assert await lines(reader(fetcher), f"{site}/wide") == [b"x" * 1_001]


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("/packed.jsonl.gz", AddressError, "gzip"),
        ("/large", TransportError, "too large"),
        ("/missing", TransportError, "status 404"),
        ("/away", AddressError, "no public address"),
        ("/to-storage", AddressError, "must begin with http"),
    ],
)
async def test_what_is_wrong_there_is_said(
    site: str, fetcher: Fetcher, path: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await lines(reader(fetcher), site + path)


async def test_nobody_is_waited_for_too_long(site: str, fetcher: Fetcher) -> None:
    with pytest.raises(TransportError) as caught:
        await lines(reader(fetcher, caps=Caps(seconds=0.2)), f"{site}/never")
    assert caught.value.timed_out


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "memory://a",
        "ftp://example.com/a",
        "gcs://bucket/a",
        "s3a://bucket/in/a",
        "data:,a",
        "filecache::s3://bucket/a",
        "http://127.0.0.2/a",
        "http://169.254.169.254/latest/meta-data",
        "http://user:password@example.com/",
        "s3://bucket/in/a",
        "gs://bucket/in/a",
        "",
    ],
)
async def test_nothing_else_is_read(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(AddressError):
        await lines(reader(fetcher), url)


async def test_lines_come_from_allowed_storage(fetcher: Fetcher, storage: tuple[str, Filesystem]) -> None:
    scheme, made = storage
    rows = [b'{"n":%d}' % number for number in range(150_000)]
    await asyncio.to_thread(made.pipe_file, f"{BUCKET}/in/a.jsonl", b"\n".join(rows))
    assert await lines(reader(fetcher, storage), f"{scheme}://{BUCKET}/in/a.jsonl") == rows


async def test_storage_has_the_same_limits(fetcher: Fetcher, storage: tuple[str, Filesystem]) -> None:
    scheme, made = storage
    for name in ("wide", "packed.jsonl.gz", "nothing", "large"):
        await asyncio.to_thread(made.pipe_file, f"{BUCKET}/in/{name}", PAGES[f"/{name}"])
    place = f"{scheme}://{BUCKET}/in"
    for name, error, said in (
        ("packed.jsonl.gz", AddressError, "gzip"),
        ("large", TransportError, "too large"),
        ("missing", AddressError, "leads to no object"),
    ):
        with pytest.raises(error, match=said):
            await lines(reader(fetcher, storage), f"{place}/{name}")
    assert await lines(reader(fetcher, storage), f"{place}/nothing") == []
    assert await lines(reader(fetcher, storage), f"{place}/wide") == [b"x" * 1_001]
    late = Caps(seconds=0.0)
    with pytest.raises(TransportError, match="in time"):
        await lines(reader(fetcher, storage, late), f"{place}/nothing")


async def test_what_is_ours_to_read_but_not_allowed_is_not_read(
    fetcher: Fetcher, storage: tuple[str, Filesystem]
) -> None:
    scheme, made = storage
    await asyncio.to_thread(made.pipe_file, f"{BUCKET}/own/secret.jsonl", b"{}")
    for url in (f"{scheme}://{BUCKET}/own/secret.jsonl", f"{scheme}://{BUCKET}/in/../own/secret.jsonl"):
        with pytest.raises(AddressError):
            await lines(reader(fetcher, storage), url)


async def test_an_object_that_changes_meanwhile_is_not_mixed(fetcher: Fetcher, storage: tuple[str, Filesystem]) -> None:
    scheme, made = storage
    await asyncio.to_thread(made.pipe_file, f"{BUCKET}/in/moving", b"a\n" * 1_000)
    source = reader(fetcher, storage).lines(f"{scheme}://{BUCKET}/in/moving")
    assert await anext(source) == b"a"
    await asyncio.to_thread(made.pipe_file, f"{BUCKET}/in/moving", b"b\n" * 1_000)
    with pytest.raises(TransportError, match="changed"):
        async for _ in source:
            pass
