from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.vocabulary import Account, Batch, Tally

if TYPE_CHECKING:
    from fakes.world import World

NOW = 500_000
DAY = 24


@pytest.fixture(autouse=True)
def _today(world: World) -> None:
    world.clock.now = NOW * 3_600.0


def account(
    hour: int = NOW, tenant: str = "a", key_id: str = "k1", model: str = "m", endpoint: str = "embeddings"
) -> Account:
    return Account(hour, tenant, key_id, model, endpoint)


def batch(sequence: int, tallies: dict[Account, Tally], writer: str = "w") -> Batch:
    return Batch(writer, sequence, tallies)


ONE = Tally(1, 10, 5, 50, 5, 50)


async def rows(world: World, tenant: str = "a", since: int = 0, until: int = 10**6) -> dict[Account, Tally]:
    return dict(await world.ledger.rows(tenant, since, until))


async def test_tallies_add_up_by_account(world: World) -> None:
    other = account(key_id="k2", model="jina-ai/m:1", endpoint="rerank")
    assert await world.ledger.add(batch(1, {account(): ONE, other: Tally(2)}), 0)
    assert await world.ledger.add(batch(2, {account(): Tally(1, 1, 1, 1, 1, 1)}), 1)
    assert await rows(world) == {account(): Tally(2, 11, 6, 51, 6, 51), other: Tally(2)}


async def test_a_batch_counts_once_however_often_and_in_which_order_it_comes(world: World) -> None:
    batches = [batch(number, {account(): ONE}) for number in (1, 2, 3)]
    assert [await world.ledger.add(entry, 0) for entry in (batches[1], batches[0], batches[2])] == [True] * 3
    assert [await world.ledger.add(entry, 0) for entry in (*batches, *reversed(batches))] == [False] * 6
    assert (await rows(world))[account()].requests == 3


async def test_what_is_settled_never_counts_again(world: World) -> None:
    for number in (1, 2, 3):
        await world.ledger.add(batch(number, {account(): ONE}), number - 1)
    assert not await world.ledger.add(batch(2, {account(): ONE}), 0)
    assert not await world.ledger.add(batch(1, {account(): ONE}), 0)
    assert await world.ledger.add(batch(4, {account(): ONE}), 0)
    assert (await rows(world))[account()].requests == 4


async def test_writers_and_tenants_do_not_stand_in_each_others_way(world: World) -> None:
    both = {account(): ONE, account(tenant="b"): ONE}
    await world.ledger.add(batch(1, both), 0)
    assert await world.ledger.add(batch(1, both, "another"), 0)
    assert await world.ledger.add(batch(2, {account(tenant="b"): ONE}), 1)
    assert await rows(world) == {account(): ONE.plus(ONE)}
    assert await rows(world, "b") == {account(tenant="b"): ONE.plus(ONE).plus(ONE)}
    assert await world.ledger.tenants() == ["a", "b"]


async def test_a_part_that_is_missing_is_made_good_and_the_other_not_doubled(world: World) -> None:
    await world.ledger.add(batch(1, {account(): ONE}), 0)
    whole = batch(1, {account(): ONE, account(tenant="b"): ONE})
    assert await world.ledger.add(whole, 0)
    assert await rows(world) == {account(): ONE}
    assert await rows(world, "b") == {account(tenant="b"): ONE}


async def test_hours_are_read_from_since_up_to_until(world: World) -> None:
    hours = [NOW - 2, NOW - 1, NOW, NOW + 1]
    await world.ledger.add(batch(1, {account(hour): ONE for hour in hours}), 0)
    found = await rows(world, since=NOW - 1, until=NOW + 1)
    assert sorted(key.hour for key in found) == [NOW - 1, NOW]
    assert await rows(world, since=NOW + 2) == {}
    assert await rows(world, "nobody") == {}


async def test_more_hours_and_tenants_than_go_out_at_once(world: World) -> None:
    tallies = {account(NOW - hour): ONE for hour in range(200)}
    tallies |= {account(tenant=f"t{number}"): ONE for number in range(150)}
    assert await world.ledger.add(batch(1, tallies), 0)
    assert len(await rows(world)) == 200
    assert len(await world.ledger.tenants()) == 151


async def test_large_amounts_are_exact(world: World) -> None:
    large = 2**61 + 1
    await world.ledger.add(batch(1, {account(): Tally(1, nanos=large)}), 0)
    await world.ledger.add(batch(2, {account(): Tally(1, nanos=1)}), 1)
    assert (await rows(world))[account()].nanos == large + 1


async def test_an_empty_batch_adds_nothing(world: World) -> None:
    assert not await world.ledger.add(batch(1, {}), 0)
    assert await world.ledger.tenants() == []


async def test_old_hours_go_when_something_is_added(world: World) -> None:
    await world.ledger.add(batch(1, {account(NOW - hour): ONE for hour in range(0, 12 * DAY, DAY)}), 0)
    await world.ledger.add(batch(2, {account(): ONE}), 1)
    assert min(key.hour for key in await rows(world)) == NOW - 10 * DAY
    world.advance(86_400)
    await world.ledger.add(batch(3, {account(): ONE}), 2)
    assert min(key.hour for key in await rows(world)) == NOW - 9 * DAY
    assert await world.ledger.lifetime("a") == Tally(14, 140, 70, 700, 70, 700)
    assert await world.ledger.lifetime("nobody") == Tally()
