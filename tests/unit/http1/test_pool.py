from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from gateway.errors import TransportError
from gateway.http1 import origin as origins
from gateway.http1.origin import origin_of
from gateway.http1.pool import Pool
from gateway.ports import Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GET = Exchange("GET", "/")
REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"


class Counting:
    """Answers each request after `pause` seconds, or when `go` is set; counts those at once."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.running = 0
        self.most = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.running += 1
                self.most = max(self.most, self.running)
                await self.go.wait()
                self.running -= 1
                writer.write(REPLY)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def counting() -> AsyncIterator[tuple[Counting, URL]]:
    made = Counting()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, URL("http://{}:{}".format(*server.sockets[0].getsockname()))
    made.go.set()
    server.close()
    await server.wait_closed()


def pool_of(url: URL, limit: int) -> Pool:
    origin = origin_of(url)
    assert origin is not None
    return Pool(origin, limit)


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0.001)


async def test_calls_beyond_the_limit_wait_for_a_connection(counting: tuple[Counting, URL]) -> None:
    server, url = counting
    pool = pool_of(url, 2)
    calls = [asyncio.ensure_future(pool.send(GET, "/", 5.0, 10)) for _ in range(7)]
    await turns()
    assert server.running == 2
    calls[3].cancel()  # it waits; nobody else is to miss a turn for that
    server.go.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one).__name__ for one in done].count("RawReply") == 6
    assert (server.most, server.connections) == (2, 2)
    pool.close()


async def test_whoever_waits_for_a_connection_gives_up_in_time(counting: tuple[Counting, URL]) -> None:
    server, url = counting
    pool = pool_of(url, 1)
    first = asyncio.ensure_future(pool.send(GET, "/", 5.0, 10))
    await turns()
    with pytest.raises(TransportError) as raised:
        await pool.send(GET, "/", 0.05, 10)
    assert raised.value.timed_out
    server.go.set()
    assert (await first).body == b"a"
    assert (await pool.send(GET, "/", 5.0, 10)).body == b"a"
    pool.close()


async def test_of_calls_that_run_together_each_is_late_by_its_own_time(counting: tuple[Counting, URL]) -> None:
    server, url = counting
    pool = pool_of(url, 3)
    patient = asyncio.ensure_future(pool.send(GET, "/", 5.0, 10))
    hasty = [asyncio.ensure_future(pool.send(GET, "/", seconds, 10)) for seconds in (0.1, 0.05)]
    late = await asyncio.gather(*hasty, return_exceptions=True)
    assert [isinstance(error, TransportError) and error.timed_out for error in late] == [True, True]
    assert not patient.done()
    server.go.set()
    assert (await patient).body == b"a"
    pool.close()


async def test_a_call_that_goes_away_leaves_its_place_to_the_next(counting: tuple[Counting, URL]) -> None:
    server, url = counting
    pool = pool_of(url, 1)
    first, second = (asyncio.ensure_future(pool.send(GET, "/", 5.0, 10)) for _ in range(2))
    await turns()
    first.cancel()
    server.go.set()
    assert (await second).body == b"a"
    pool.close()


async def test_what_has_been_idle_for_long_is_ended(
    counting: tuple[Counting, URL], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http1.pool.IDLE_SECONDS", 0.0)
    server, url = counting
    server.go.set()
    pool = pool_of(url, 1)
    for _ in range(2):
        await pool.send(GET, "/", 5.0, 10)
        await turns(5)
    assert server.connections == 2
    pool.close()


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://api.example/x", "api.example"),
        ("https://api.example:443", "api.example"),
        ("https://api.example:8443", "api.example:8443"),
        ("http://[::1]:80", "[::1]"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://user:pass@host/", None),
        ("http://host./", None),
        ("ftp://host/", None),
        ("http://[fe80::1%25eth0]/", None),
    ],
)
def test_which_addresses_are_known(url: str, header: str | None) -> None:
    found = origin_of(URL(url))
    assert (None if found is None else found.header) == header


def certificate(folder: Path, address: str) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{address}.pem", folder / f"{address}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return str(files[0]), str(files[1])


@pytest.mark.parametrize(
    ("address", "trusted", "answered"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)],
)
async def test_tls_is_verified(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    trusted: bool,  # noqa: FBT001 - a table
    answered: bool,  # noqa: FBT001 - a table
) -> None:
    files = certificate(tmp_path, address)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(*files)
    if trusted:
        ours = ssl.create_default_context(cafile=files[0])
        monkeypatch.setattr(origins, "_verifying", lambda: ours)
    counting = Counting()
    counting.go.set()
    server = await asyncio.start_server(counting.serve, "127.0.0.1", 0, ssl=theirs)
    pool = pool_of(URL("https://{}:{}".format(*server.sockets[0].getsockname())), 1)
    if answered:
        assert (await pool.send(GET, "/", 5.0, 10)).body == b"a"
    else:
        with pytest.raises(TransportError) as raised:
            await pool.send(GET, "/", 5.0, 10)
        assert not raised.value.sent
    pool.close()
    server.close()
    await server.wait_closed()
