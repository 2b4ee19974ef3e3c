from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.errors import StoreError
from gateway.plan.origin import tag
from gateway.stores.redis.client import connect
from gateway.stores.redis.entry import CLAIMED, encode
from gateway.stores.redis.header import Described, describe
from gateway.stores.redis.inventory import Choice, Inventory, Purged, Share
from gateway.stores.redis.keys import Keys
from gateway.vocabulary import Answer, Shape

if TYPE_CHECKING:
    from gateway.stores.redis.client import Client

KEYS = Keys("gw")
MANY = 1_200
A, B, SEARCH, SHOP = tag("a"), tag("b"), tag("search"), tag("shop")


def address(number: int) -> bytes:
    return number.to_bytes(16, "big")


async def fill(client: Client, count: int, *, made: int = 100) -> None:
    """Entries number 0 to count - 1, each a second younger than the one before; other things lie beside them."""
    pipeline = client.pipeline(transaction=False)
    for number in range(count):
        entry = encode(b"p" * 16, Answer(Shape.SCORE, bytes(8), 0, 3, made=made + number))
        pipeline.set(KEYS.answer(address(number)), entry, px=50_000)
    pipeline.set("gw:secret", b"s")
    pipeline.set("gwx:c:" + "a" * 16, b"another's")
    await pipeline.execute()


def named(prefix: bytes) -> Described | None:
    """As if entries named their origin: even seconds are of model a, every third of tenant search."""
    entry = describe(prefix)
    if entry is None:
        return None
    tenant = SHOP if entry.made % 3 else SEARCH
    return replace(entry, model=B if entry.made % 2 else A, tenant=tenant)


async def test_stats_of_more_than_one_batch(store_client: Client) -> None:
    await fill(store_client, MANY)
    await store_client.set(KEYS.answer(b"d" * 16), b"damaged")
    await store_client.rpush(KEYS.answer(b"l" * 16).decode(), "a list")
    moved: list[int] = []
    stats = await Inventory(store_client, KEYS, moved.append).stats()
    assert dict(stats.models) == {None: Share(MANY, MANY * (5 + 16 + 48 + 16 + 8), MANY * 3)}
    assert (stats.oldest, stats.newest, stats.foreign) == (100, 100 + MANY - 1, 2)
    assert sum(moved) == MANY + 2
    assert len(moved) > 1


async def test_stats_by_model_and_of_nothing(store_client: Client) -> None:
    assert (await Inventory(store_client, KEYS).stats()).models == {}
    await fill(store_client, 5)
    models = (await Inventory(store_client, KEYS, describe=named).stats()).models
    assert {model: share.entries for model, share in models.items()} == {A: 3, B: 2}


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (Choice(model=A), {101, 103, 105}),
        (Choice(tenant=SEARCH), {100, 101, 103, 104}),
        (Choice(before=103), {103, 104, 105}),
        (Choice(model=A, before=103), {101, 103, 104, 105}),
        (Choice(model=A, tenant=SHOP, before=104), {101, 102, 103, 104, 105}),
        (Choice(model=tag("unheard of")), {100, 101, 102, 103, 104, 105}),
        (Choice(), set()),
    ],
)
async def test_a_purge_removes_what_fits_all_conditions(store_client: Client, choice: Choice, left: set[int]) -> None:
    await fill(store_client, 6)
    purged = await Inventory(store_client, KEYS, describe=named).purge(choice)
    assert purged == Purged(6 - len(left))
    kept = {made for made in range(100, 106) if await store_client.exists(KEYS.answer(address(made - 100)))}
    assert kept == left
    assert await store_client.exists("gw:secret", "gwx:c:" + "a" * 16) == 2


async def test_entries_that_do_not_say_their_origin_are_kept_and_counted(store_client: Client) -> None:
    await fill(store_client, 3)
    inventory = Inventory(store_client, KEYS)
    assert await inventory.purge(Choice(model=A)) == Purged(0, 3)
    assert await inventory.purge(Choice(tenant=SHOP, before=10**6)) == Purged(0, 3)


async def test_unknown_age_counts_as_old_and_damage_goes_only_with_everything(store_client: Client) -> None:
    await fill(store_client, 1, made=0)
    await store_client.set(KEYS.answer(b"d" * 16), b"damaged")
    inventory = Inventory(store_client, KEYS)
    assert await inventory.purge(Choice(before=1)) == Purged(1)
    assert await inventory.purge(Choice()) == Purged(1)


async def test_records_are_restored_as_they_were_but_not_over_what_is_there(store_client: Client) -> None:
    await fill(store_client, 150)
    inventory = Inventory(store_client, KEYS)
    records = [record async for some in inventory.records() for record in some]
    before = {record.address: record.entry for record in records}
    assert before.keys() == {address(number) for number in range(150)}
    assert all(40_000 < record.life_ms <= 50_000 for record in records)
    await store_client.flushall()
    await store_client.set(KEYS.answer(address(7)), b"mine")
    assert await inventory.restore(records) == 149
    assert await store_client.get(KEYS.answer(address(7))) == b"mine"
    for number in (0, 149):
        assert await store_client.get(KEYS.answer(address(number))) == before[address(number)]
        assert 0 < await store_client.pttl(KEYS.answer(address(number))) <= 50_000


async def test_a_store_that_refuses_is_an_error(store_client: Client) -> None:
    await fill(store_client, 3)
    inventory = Inventory(store_client, KEYS)
    records = [record async for some in inventory.records() for record in some]
    await store_client.flushall()
    await store_client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreError):
            await inventory.restore(records)
    finally:
        await store_client.config_set("maxmemory", "0")


async def test_a_store_that_is_not_there_is_an_error() -> None:
    client = connect("unix:///nonexistent/socket", 0.5)
    with pytest.raises(StoreError):
        await Inventory(client, KEYS).stats()
    await client.aclose()


async def test_what_is_being_computed_is_neither_counted_nor_removed_nor_copied(store_client: Client) -> None:
    await fill(store_client, 2)
    await store_client.set(KEYS.answer(b"c" * 16), CLAIMED + b"owner", px=50_000)
    inventory = Inventory(store_client, KEYS)
    stats = await inventory.stats()
    assert (stats.models[None].entries, stats.foreign) == (2, 0)
    assert sum([len(records) async for records in inventory.records()]) == 2
    assert await inventory.purge(Choice()) == Purged(entries=2)
    assert await store_client.exists(KEYS.answer(b"c" * 16))
