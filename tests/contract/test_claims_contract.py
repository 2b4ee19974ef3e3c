from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from gateway.turns import MANY
from gateway.vocabulary import Answer, ItemKey, Shape

if TYPE_CHECKING:
    from fakes.world import World

ANSWER = Answer(Shape.DENSE, struct.pack("<2f", 1.0, 2.0), 2, 3)


def keys(*numbers: int) -> list[ItemKey]:
    return [ItemKey(number.to_bytes(16, "little"), number.to_bytes(16, "big")) for number in numbers]


async def test_a_claim_is_one_owners(world: World) -> None:
    assert await world.claims.claim(keys(1, 2), "a") == [True, True]
    assert await world.claims.claim(keys(1, 3), "b") == [False, True]


async def test_a_stored_answer_is_found_and_nothing_is_claimed(world: World) -> None:
    await world.answers.put([(keys(1)[0], ANSWER)])
    assert await world.claims.claim(keys(1, 2), "a") == [ANSWER, True]
    await world.answers.put([(keys(2)[0], ANSWER)])
    assert await world.claims.claim(keys(1, 2), "b") == [ANSWER, ANSWER]


async def test_an_answer_with_another_proof_is_not_believed(world: World) -> None:
    await world.answers.put([(keys(1)[0], ANSWER)])
    forged = ItemKey(keys(1)[0].address, b"q" * 16)
    assert await world.claims.claim([forged], "a") == [True]


async def test_of_what_nobody_can_read_one_is_the_owner_too(world: World) -> None:
    await world.answers.put([(keys(1)[0], ANSWER)])
    forged = ItemKey(keys(1)[0].address, b"q" * 16)
    claimed = await asyncio.gather(*[world.claims.claim([forged], owner) for owner in "abc"])
    assert sorted(claimed) == [[False], [False], [True]]
    assert await world.answers.get([forged]) == [None]
    await world.answers.put([(forged, ANSWER)])
    assert await world.claims.claim([forged], "d") == [ANSWER]


async def test_a_claim_is_no_answer_and_ends_as_that_is_stored(world: World) -> None:
    assert await world.claims.claim(keys(1, 2), "a") == [True, True]
    assert await world.answers.get(keys(1, 2)) == [None, None]
    await world.answers.put([(keys(1)[0], ANSWER)])
    await world.claims.renew(keys(1, 2), "a")
    await world.claims.release(keys(1, 2), "a")
    assert await world.answers.get(keys(1, 2)) == [ANSWER, None]
    assert await world.claims.claim(keys(1, 2), "b") == [ANSWER, True]


async def test_only_the_owner_gives_back(world: World) -> None:
    await world.claims.claim(keys(1), "a")
    await world.claims.release(keys(1), "b")
    await world.claims.renew(keys(1), "b")
    assert await world.claims.claim(keys(1), "b") == [False]
    await world.claims.release(keys(1), "a")
    assert await world.claims.claim(keys(1), "b") == [True]


async def test_what_ran_out_is_free_and_cannot_be_renewed(world: World) -> None:
    await world.claims.claim(keys(1), "a")
    await world.end_claims()
    await world.claims.renew(keys(1), "a")
    assert await world.claims.claim(keys(1), "b") == [True]


async def test_a_renewed_claim_is_still_its_owners(world: World) -> None:
    await world.claims.claim(keys(1), "a")
    await world.claims.renew(keys(1, 2), "a")
    assert await world.claims.claim(keys(1, 2), "b") == [False, True]


async def kept_and_let_go(world: World, key: ItemKey, token: str) -> None:
    """As a filler ends: without waiting for the store, where that is enough."""
    if not world.answers.keep([(key, ANSWER)]):
        await world.answers.put([(key, ANSWER)])
    await asyncio.sleep(0)
    if not world.claims.let_go([key], token):
        await world.claims.release([key], token)


async def test_whoever_gets_a_claim_after_it_was_let_go_finds_what_was_kept_before(world: World) -> None:
    many = keys(*range(50))
    assert await world.claims.claim(many, "a") == [True] * 50
    for key in many:
        asked = asyncio.ensure_future(world.claims.claim([key], "b"))
        await kept_and_let_go(world, key, "a")
        assert await asked in ([False], [ANSWER])
        assert await world.claims.claim([key], "b") == [ANSWER]
    assert world.observer.store_failures == []


async def test_only_the_owner_lets_go(world: World) -> None:
    await world.claims.claim(keys(1), "a")
    world.claims.let_go(keys(1), "b")
    assert await world.claims.claim(keys(1), "b") == [False]


async def test_a_claim_whose_claimer_went_away_is_let_go_after_it_was_made(world: World) -> None:
    for number in range(50):
        claiming = asyncio.ensure_future(world.claims.claim(keys(number), "a"))
        await asyncio.sleep(0)
        claiming.cancel()
        if not world.claims.let_go(keys(number), "a"):
            return  # a store of several servers: it is given back as before
        assert await world.claims.claim(keys(number), "b") == [True]


async def test_a_large_list_is_claimed_whole(world: World) -> None:
    many = keys(*range(500))
    assert await world.claims.claim(many, "a") == [True] * 500
    await world.claims.release(many, "a")
    assert await world.claims.claim(many, "b") == [True] * 500


async def test_a_long_list_is_claimed_kept_and_given_back_like_a_short_one(world: World) -> None:
    many = keys(*range(2 * MANY + 3))
    await world.answers.put([(many[MANY], ANSWER)])
    told = [True] * len(many)
    assert await world.claims.claim(many, "a") == [*told[:MANY], ANSWER, *told[MANY + 1 :]]
    await world.claims.renew(many, "a")
    others = [many[0], many[MANY + 1], many[-1]]
    assert await world.claims.claim(others, "b") == [False] * 3
    await world.claims.release(many, "a")
    assert await world.claims.claim(others, "b") == [True] * 3
