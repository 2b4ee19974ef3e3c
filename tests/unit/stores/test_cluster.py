from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.running_gateway import until
from redis.asyncio.cluster import ClusterNode, NodesManager
from redis.crc import key_slot

from gateway.errors import StoreError
from gateway.ports import Amounts, Statement
from gateway.stores.redis.cache import RedisAnswers
from gateway.stores.redis.calls_back import hear
from gateway.stores.redis.client import Line, connect, store_errors
from gateway.stores.redis.cluster import REDIRECTS, Cluster
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, ItemKey, Limits, Meter, Scope, Shape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS = Keys("gw")
PATIENCE = 5.0
METER = Meter("t", Scope.TENANT, Limits(10, None, None))
NAMES = [f"name-{number}" for number in range(32)]


@asynccontextmanager
async def connected(url: str, seconds: float = PATIENCE, connections: int = 4) -> AsyncIterator[tuple[Line, Cluster]]:
    client, tasks = connect(url, seconds, connections, cluster=True), TaskGroup()
    assert isinstance(client, Cluster)
    try:
        yield Line(client, tasks, seconds), client
    finally:
        await tasks.drain(PATIENCE)
        await client.aclose()


@pytest.fixture
async def both(cluster_url: str) -> AsyncIterator[tuple[Line, Cluster]]:
    async with connected(cluster_url) as (line, client):
        await client.flushall()
        yield line, client


async def order(client: Cluster, node: ClusterNode, *command: str | bytes | int) -> bytes:
    return bytes(await client.execute_command(*command, target_nodes=node) or b"")


@asynccontextmanager
async def migrating(client: Cluster, slot: int, source: ClusterNode, target: ClusterNode) -> AsyncIterator[None]:
    """A slot on its way, as operators' tools do it; at the end it is where it was."""
    await order(client, target, "CLUSTER SETSLOT", slot, "IMPORTING", await order(client, source, "CLUSTER MYID"))
    await order(client, source, "CLUSTER SETSLOT", slot, "MIGRATING", await order(client, target, "CLUSTER MYID"))
    try:
        yield
    finally:
        for node in (source, target):
            await order(client, node, "CLUSTER SETSLOT", slot, "STABLE")


def other_than(client: Cluster, node: ClusterNode) -> ClusterNode:
    return next(other for other in client.get_primaries() if other != node)


async def test_one_turn_asks_all_nodes_and_each_gets_its_reply(both: tuple[Line, Cluster]) -> None:
    line, client = both
    await asyncio.gather(*(line.ask("SET", name, name) for name in NAMES))
    assert {client.get_node_from_key(name) for name in NAMES} == set(client.get_primaries())
    read = await asyncio.gather(*(line.ask("GET", name) for name in NAMES))
    assert read == [name.encode() for name in NAMES]


async def test_more_batches_at_once_than_connections_wait_their_turn(cluster_url: str) -> None:
    async with connected(cluster_url, connections=1) as (line, client):
        for _ in range(20):
            line.queue("SET", "busy", 1)
            await asyncio.sleep(0)
        assert await line.ask("GET", "busy") == b"1"
        assert await asyncio.gather(*(client.ask([("GET", "busy")]) for _ in range(20))) == [[b"1"]] * 20


async def test_a_key_that_moved_is_followed_and_its_commands_stay_in_order(both: tuple[Line, Cluster]) -> None:
    line, client = both
    await client.initialize()
    wrong = other_than(client, client.nodes_manager.get_node_from_slot(key_slot(b"list")))
    client.nodes_manager.slots_cache[key_slot(b"list")] = [wrong]
    lengths = await asyncio.gather(*(line.ask("RPUSH", "list", number) for number in range(10)))
    assert lengths == list(range(1, 11))
    assert await line.ask("LRANGE", "list", 0, -1) == [b"%d" % number for number in range(10)]
    assert client.get_node_from_key("list") != wrong


async def test_a_key_on_its_way_is_found_where_it_goes(both: tuple[Line, Cluster]) -> None:
    line, client = both
    await client.initialize()
    slot, source = key_slot(b"fresh"), client.get_node_from_key("fresh")
    assert source is not None
    target = other_than(client, source)
    # Several free connections, so that ASKING and its command would not share one by luck.
    await asyncio.gather(*(client.ask([("DBSIZE",)], target) for _ in range(4)))
    async with migrating(client, slot, source, target):
        assert await asyncio.gather(*(line.ask("INCR", "fresh") for _ in range(3))) == [1, 2, 3]
        assert await line.ask("GET", "fresh") == b"3"
        assert client.get_node_from_key("fresh") == source
        assert (await client.ask([("ASKING",), ("GET", "fresh")], target))[1] == b"3"
        assert (await client.ask([("ASKING",), ("DEL", "fresh")], target))[1] == 1


async def test_nodes_that_do_not_agree_are_an_error(
    both: tuple[Line, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, client = both
    await client.initialize()
    wrong = other_than(client, client.nodes_manager.get_node_from_slot(key_slot(b"a")))
    looked = []

    async def learn_nothing(_: NodesManager, error: object) -> None:
        looked.append(error)

    monkeypatch.setattr(NodesManager, "move_slot", learn_nothing)
    client.nodes_manager.slots_cache[key_slot(b"a")] = [wrong]
    with pytest.raises(StoreError, match="MovedError"):
        await line.ask("GET", "a")
    assert len(looked) == REDIRECTS


async def test_a_script_that_one_node_lost_is_loaded_there(both: tuple[Line, Cluster]) -> None:
    line, client = both
    quota = RedisQuota(line, KEYS, 15)
    one = Amounts(1)
    assert (await quota.exchange(Statement(METER, "a", 1, least=one, needed=one, wanted=one))).granted == one
    node = client.get_node_from_key(KEYS.quota(METER.subject)[0])
    await client.execute_command("SCRIPT FLUSH", target_nodes=node)
    assert (await quota.exchange(Statement(METER, "a", 2, least=one, needed=one, wanted=one))).granted == one


async def test_calls_back_are_heard_from_every_node(both: tuple[Line, Cluster], cluster_url: str) -> None:
    _, client = both
    await client.initialize()
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with connected(cluster_url) as (_, listener):
        listening = asyncio.ensure_future(hear(listener, KEYS, heard.put))
        for number, node in enumerate(client.get_primaries()):
            while heard.empty() or heard.get_nowait() != f"t:{number}":
                assert not listening.done()
                await client.ask([("PUBLISH", KEYS.calls_back, f"t:{number}")], node)
                await asyncio.sleep(0.01)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_node_that_hangs_spoils_no_reply_of_the_others(both: tuple[Line, Cluster], cluster_url: str) -> None:
    patient, steady = both
    observer = FakeObserver()
    keys = [ItemKey(bytes([number]) * 16, b"p" * 16) for number in range(24)]
    entries = [(key, Answer(Shape.SCORE, bytes(8), 0, 1)) for key in keys]
    await RedisAnswers(patient, KEYS, 60, FakeClock(), observer).put(entries)
    hanging = steady.get_primaries()[0]
    theirs = [steady.get_node_from_key(KEYS.answer(key.address)) != hanging for key in keys]  # type: ignore[arg-type] # it takes what can be encoded
    assert {True, False} == set(theirs)
    async with connected(cluster_url, seconds=0.5) as (line, client):
        await client.initialize()
        answers = RedisAnswers(line, KEYS, 60, FakeClock(), observer)
        await steady.execute_command("CLIENT PAUSE", 800, "ALL", target_nodes=hanging)
        assert [answer is not None for answer in await answers.get(keys)] == theirs
        assert observer.store_failures == ["cache"]

        async def complete() -> bool:
            return None not in await answers.get(keys)

        await until(complete)


async def test_a_node_that_is_gone_makes_the_client_look_again(both: tuple[Line, Cluster]) -> None:
    line, client = both
    await client.initialize()
    gone = ClusterNode("127.0.0.1", 1, "primary", **client.connection_kwargs)
    client.nodes_manager.slots_cache[key_slot(b"a")] = [gone]
    with pytest.raises(StoreError):
        await line.ask("GET", "a")

    async def found() -> bool:
        return client.get_node_from_key("a") != gone

    await until(found)
    assert await line.ask("GET", "a") is None


async def test_everything_is_closed_even_if_the_last_command_failed(both: tuple[Line, Cluster]) -> None:
    line, client = both
    await asyncio.gather(*(line.ask("GET", name) for name in NAMES))
    client.nodes_manager.slots_cache[key_slot(b"a")] = [ClusterNode("127.0.0.1", 1, **client.connection_kwargs)]
    with pytest.raises(StoreError), store_errors():
        await client.get("a")
    await client.aclose()
    assert not [held for node in client.get_nodes() for held in node._connections if held.is_connected]


async def test_a_cluster_that_is_not_there() -> None:
    async with connected("redis://127.0.0.1:1", 0.5) as (line, _):
        for _ in range(2):
            with pytest.raises(StoreError, match="RedisClusterException"):
                await line.ask("GET", "a")


def test_a_password_and_encryption_reach_every_node() -> None:
    client = connect("rediss://:hush@h:7000", 1.0, cluster=True)
    assert isinstance(client, Cluster)
    options = client.connection_kwargs
    assert (options["password"], options["connection_class"].__name__) == ("hush", "SSLConnection")
