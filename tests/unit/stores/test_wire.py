"""The lean connection, with servers that answer slowly, wrongly, in pieces, or not at all."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from redis.exceptions import AuthenticationError, NoScriptError, ResponseError

from gateway.errors import StoreError
from gateway.stores.redis.client import Line, Store, connect
from gateway.stores.redis.wire import MOST, LateError, LostError, Wire
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GET = ("GET", "a")


@asynccontextmanager
async def server(serve: Serve, timeout_seconds: float = 5.0, password: str | None = None) -> AsyncIterator[Wire]:
    """A wire to a server of that behaviour."""
    done: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.append(writer)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    made = await asyncio.start_server(handle, "127.0.0.1", 0)
    host, port = made.sockets[0].getsockname()
    wire = Wire({"host": host, "port": port, "password": password}, timeout_seconds)
    yield wire
    wire._end(LostError("test"))
    await wire.close()
    made.close()
    await made.wait_closed()


def ask(wire: Wire, *commands: tuple[str, ...]) -> list[asyncio.Future[Any]]:
    """A future for each reply; exceptions are results, as errors of Redis are."""
    futures = [asyncio.get_running_loop().create_future() for _ in commands]
    wire.send(list(commands), [future.set_result for future in futures])
    return futures


async def one(reader: asyncio.StreamReader) -> list[bytes]:
    """The words of the next command."""
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


async def test_replies_come_in_order_however_they_are_cut() -> None:
    async def slices(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one(reader)
        await one(reader)
        for byte in b"$3\r\nabc\r\n*2\r\n:1\r\n-ERR x\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with server(slices) as wire:
        first, second = ask(wire, GET, GET)
        assert await first == b"abc"
        one_, error = await second
        assert one_ == 1
        assert isinstance(error, ResponseError)
        assert not wire.load


async def test_errors_are_those_that_redis_py_knows() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one(reader)
        writer.write(b"-NOSCRIPT No matching script\r\n")
        await reader.read()

    async with server(refuse) as wire:
        (reply,) = ask(wire, ("EVALSHA", "x", "0"))
        assert isinstance(await reply, NoScriptError)
        assert not wire.dead


HOSTILE: list[tuple[str, bytes]] = [
    ("the end", b""),
    ("half an answer", b"$10\r\nabc"),
    ("no Redis", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
]


@pytest.mark.parametrize("sent", [row[1] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
async def test_a_connection_that_breaks_fails_all_that_waits(sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one(reader)
        writer.write(sent)
        await writer.drain()

    async with server(serve) as wire:
        replies = await asyncio.gather(*ask(wire, GET, GET))
        assert all(isinstance(reply, LostError) for reply in replies)
        assert wire.dead


async def test_more_answers_than_questions_are_nobodys() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one(reader)
        writer.write(b":1\r\n:2\r\n")
        await reader.read()

    async with server(talk) as wire:
        (reply,) = ask(wire, GET)
        assert await reply == 1
        assert not wire.load


async def test_a_server_without_a_word_is_given_up_with_all_that_waits() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(silent, 0.05) as wire:
        replies = await asyncio.gather(*ask(wire, GET, GET))
        assert all(isinstance(reply, LateError) for reply in replies)
        assert wire.dead


async def test_a_slow_server_that_talks_fails_the_late_command_alone() -> None:
    go = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await one(reader)
        writer.write(b"$8\r\nab")
        await go.wait()
        writer.write(b"cdefgh\r\n:2\r\n")
        await reader.read()

    async with server(slow, 0.2) as wire:
        (late,) = ask(wire, GET)
        await asyncio.sleep(0.05)
        (second,) = ask(wire, GET)
        assert isinstance(await late, LateError)
        assert not wire.dead
        go.set()
        assert await second == 2


async def test_a_password_goes_first_and_a_refused_one_is_the_error() -> None:
    heard: list[list[bytes]] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await one(reader))
        writer.write(b"-WRONGPASS invalid username-password pair\r\n")
        await reader.read()

    async with server(refuse, password="secret") as wire:
        (reply,) = ask(wire, GET)
        assert isinstance(await reply, AuthenticationError)
        assert heard == [[b"AUTH", b"secret"]]


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    client = connect(store_url, 5.0)
    assert isinstance(client, Store)
    await client.flushall()
    yield client
    await client.aclose()


async def test_replies_have_the_form_that_redis_py_gives_them(store: Store) -> None:
    line = Line(store, TaskGroup(), 5.0)
    commands: list[tuple[str | int, ...]] = [
        ("SET", "a", 1),
        ("SET", "a", 2, "NX"),
        ("HSET", "h", "f", "v"),
        ("HGETALL", "h"),
        ("INFO", "server"),
        ("SMEMBERS", "none"),
        ("ZADD", "z", 1, "m"),
        ("ZRANGE", "z", 0, -1),
        ("XADD", "x", "1-1", "f", "v"),
        ("XREVRANGE", "x", "+", "-"),
    ]
    ours = [await line.ask(*command) for command in commands]
    await store.flushall()
    theirs = [await store.execute_command(*command) for command in commands]  # type: ignore[no-untyped-call]
    ours[4], theirs[4] = ours[4]["redis_version"], theirs[4]["redis_version"]
    assert ours == theirs


async def test_a_busy_connection_gets_others_beside_it_and_a_dead_one_is_replaced(store: Store) -> None:
    line = Line(store, TaskGroup(), 5.0)
    assert store.wires is not None
    for _ in range(3 * MOST):
        line.queue("DEBUG", "SLEEP", "0")
        await asyncio.sleep(0)
    assert len(store.wires._wires) == MOST
    await store.wires.quiet()
    for wire in store.wires._wires:
        wire._end(LostError("test"))
    assert await line.ask("SET", "a", 1)
    assert len(store.wires._wires) == 1


async def test_what_is_ordered_takes_one_connection_until_that_is_dead(store: Store) -> None:
    wires = store.wires
    assert wires is not None
    done: list[str] = []

    def send(name: str, *, ordered: bool) -> Wire:
        before = {wire: wire.load for wire in wires._wires}
        wires.send([("BLPOP", "nothing", "0.01")], [lambda _: done.append(name)], ordered=ordered)
        return next(wire for wire in wires._wires if wire.load > before.get(wire, 0))

    first = send("a", ordered=True)
    assert send("-", ordered=False) is not first
    assert [send(name, ordered=True) for name in "bcd"] == [first] * 3
    assert send("-", ordered=False) is not first
    await wires.quiet()
    assert [name for name in done if name != "-"] == ["a", "b", "c", "d"]
    first._end(LostError("test"))
    second = send("e", ordered=True)
    assert second is not first
    assert send("f", ordered=True) is second
    await wires.quiet()


async def test_a_batch_with_something_ordered_goes_the_ordered_way(store: Store) -> None:
    line, other = Line(store, TaskGroup(), 5.0), Line(store, TaskGroup(), 5.0)
    assert store.wires is not None
    await line.queue("SET", "a", 1, ordered=True)
    ordered = store.wires._ordered
    assert ordered is not None
    slow = other.queue("BLPOP", "nothing", "0.05")
    await asyncio.sleep(0)
    assert store.wires._wires == [ordered]
    replies = [line.queue("INCR", "a"), line.queue("INCR", "a", ordered=True)]
    await asyncio.sleep(0)
    assert (len(store.wires._wires), ordered.load) == (1, 3)
    line.queue("INCR", "b")
    await asyncio.sleep(0)
    assert len(store.wires._wires) == 2
    assert [await reply for reply in replies] == [2, 3]
    await slow
    await store.wires.quiet()


async def test_what_is_asked_after_the_end_fails_at_once(store_url: str) -> None:
    client = connect(store_url, 5.0)
    line = Line(client, TaskGroup(), 5.0)
    assert await line.ask("SET", "a", 1)
    await client.aclose()
    with pytest.raises(StoreError):
        await line.ask("GET", "a")


def test_it_runs_on_the_event_loop_of_the_workers(store_url: str) -> None:
    async def ask_it() -> object:
        client = connect(store_url, 5.0)
        try:
            return await Line(client, TaskGroup(), 5.0).ask("SET", "a", 1)
        finally:
            await client.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask_it()) == b"OK"
