from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import pytest
from fakes.collision import colliding, record_with
from fakes.trace import FakeTrace

from gateway.plan.cache_key import _fields, job_record, scope_name
from gateway.plan.planner import Inquiry, Planner
from gateway.vocabulary import Answer, CacheScope, Caller, Directives, Item, ItemKey, Job, Limits, Shape

if TYPE_CHECKING:
    from fakes.world import World

VECTOR = struct.pack("<4f", 1.0, -0.5, 0.25, 1e-30)


def key(number: int, proof: bytes = b"p" * 16) -> ItemKey:
    return ItemKey(number.to_bytes(16, "little"), proof)


def answer(number: int = 0) -> Answer:
    return Answer(Shape.DENSE, VECTOR, 4, number)


@pytest.mark.parametrize(
    "kept",
    [
        Answer(Shape.DENSE, VECTOR, 4, 7),
        Answer(Shape.DENSE, VECTOR, 2, 0),
        Answer(Shape.MULTI, VECTOR, 2, 2**40, b'["a","b"]'),
        Answer(Shape.SPARSE, b'{"a":1.5}', 0, 3),
        Answer(Shape.SCORE, struct.pack("<d", 0.1), 0, 3),
        Answer(Shape.RANKING, b"[]", 0, 3),
        Answer(Shape.VERBATIM, "[é\0]".encode(), 0, 3, b"x"),
    ],
)
async def test_every_shape_comes_back_as_it_was(world: World, kept: Answer) -> None:
    await world.answers.put([(key(1), kept)])
    assert await world.answers.get([key(1)]) == [kept]


async def test_answers_come_in_the_order_of_the_keys(world: World) -> None:
    await world.answers.put([(key(number), answer(number)) for number in (1, 3)])
    found = await world.answers.get([key(3), key(2), key(1), key(3)])
    assert found == [answer(3), None, answer(1), answer(3)]


async def test_a_different_proof_is_a_miss(world: World) -> None:
    await world.answers.put([(key(1), answer())])
    assert await world.answers.get([key(1, b"q" * 16), key(1, b"p" * 8), key(1, b"")]) == [None, None, None]


async def test_the_last_answer_stays(world: World) -> None:
    await world.answers.put([(key(1), answer(1))])
    await world.answers.put([(key(1), answer(2))])
    assert await world.answers.get([key(1)]) == [answer(2)]


async def test_nothing_asked_nothing_done(world: World) -> None:
    await world.answers.put([])
    assert await world.answers.get([]) == []


async def test_a_list_of_the_largest_size(world: World) -> None:
    entries = [(key(number), answer(number)) for number in range(2_048)]
    await world.answers.put(entries)
    found = await world.answers.get([key for key, _ in entries])
    assert found == [kept for _, kept in entries]
    assert world.observer.store_failures == []


def fetched(world: World, *keys: ItemKey) -> asyncio.Future[list[Answer | None]]:
    """What comes of a call of fetch; a second answer to it would be an error."""
    told: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
    world.answers.fetch(keys, told.set_result)
    assert not told.done()
    return told


async def test_who_is_called_back_hears_what_others_get(world: World) -> None:
    await world.answers.put([(key(number), answer(number)) for number in (1, 3)])
    asked = [fetched(world, key(3), key(2)), fetched(world), fetched(world, key(1)), fetched(world, key(3, b"q"))]
    found = [await one for one in asked]
    assert found == [[answer(3), None], [], [answer(1)], [None]]
    assert await fetched(world, key(1)) == [answer(1)]
    assert world.observer.store_failures == []


async def test_a_long_list_and_others_beside_it(world: World) -> None:
    entries = [(key(number), answer(number)) for number in range(150)]
    await world.answers.put(entries)
    asked = [fetched(world, *keys) for keys in ([key(7)], [key for key, _ in entries], [key(160), key(8)])]
    first, many, last = [await one for one in asked]
    assert (first, last) == ([answer(7)], [None, answer(8)])
    assert many == [kept for _, kept in entries]


async def test_a_forged_collision_between_two_tenants_is_a_miss(world: World) -> None:
    def asked(text: str) -> Job:
        return Job("embeddings", "m", "r", ((Item.text(text),),), Shape.DENSE, (), None)

    forger, victim = (Caller(tenant, "acme", "free", "k", Limits(None, None, None)) for tenant in ("forger", "victim"))
    evil, good = colliding(record_with(job_record(asked(""), _fields((scope_name(victim), b"")))))
    planner = Planner(world.answers, world.votes, FakeTrace(), world.clock, world.sources)

    def inquiry(caller: Caller, text: str) -> Inquiry:
        return Inquiry(asked(text), caller, CacheScope.ORG, b"s" * 32, Directives(), 3)

    first = await planner.plan(inquiry(forger, evil))
    await planner.remember(inquiry(forger, evil), first, {0: answer(1)})
    plan = await planner.plan(inquiry(victim, good))
    assert plan.keys[0].address == first.keys[0].address
    assert (plan.missing, plan.stored) == ((0,), {})
    assert (await planner.plan(inquiry(victim, evil))).stored == {0: answer(1)}
