from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.layer import answer, key, layer
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.weights import FORM_OVERHEAD_BYTES, OVERHEAD_BYTES, weigh
from gateway.vocabulary import Answer, ItemKey

if TYPE_CHECKING:
    from gateway.stores.layered import LayeredAnswers


async def test_what_is_held_asks_nobody_and_only_the_rest_is_asked() -> None:
    made, inner, _ = layer()
    await made.put([(key(1), answer(1))])
    assert await made.get([key(1)]) == [answer(1)]
    assert inner.asked == []
    await inner.put([(key(2), answer(2))])
    assert await made.get([key(3), key(1), key(2)]) == [None, answer(1), answer(2)]
    assert inner.asked == [3, 2]
    assert await made.get([key(2)]) == [answer(2)]
    assert inner.asked == [3, 2]


async def fetched(made: LayeredAnswers, *keys: ItemKey) -> list[Answer | None]:
    """What fetch calls back with, which it does later."""
    told: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
    made.fetch(keys, told.set_result)
    assert not told.done()
    return await told


async def test_who_is_called_back_is_told_and_what_came_is_held() -> None:
    made, inner, _ = layer()
    await made.put([(key(1), answer(1))])
    await inner.put([(key(2), answer(2))])
    assert await fetched(made, key(1)) == [answer(1)]
    assert inner.asked == []
    assert await fetched(made, key(3), key(1), key(2), key(2)) == [None, answer(1), answer(2), answer(2)]
    assert await fetched(made, key(2), key(1)) == [answer(2), answer(1)]
    assert inner.asked == [3, 2, 2]
    assert (made.found, made.missing) == (2, 1)
    assert made.weight == sum(weigh(entry.answer) for entry in made._held.values())


async def test_a_put_goes_through_and_everything_is_forgotten_in_time() -> None:
    made, inner, clock = layer()
    await made.put([(key(1), answer(1))])
    assert await inner.get([key(1)]) == [answer(1)]
    inner.entries.clear()
    await clock.advance(59)
    assert await made.get([key(1)]) == [answer(1)]
    await clock.advance(1)
    assert await made.get([key(1)]) == [None]
    assert made.weight == 0


async def test_what_is_kept_is_held_and_what_the_store_cannot_keep_is_not() -> None:
    made, inner, _ = layer()
    assert made.keep([(key(1), answer(1))])
    assert await inner.get([key(1)]) == [answer(1)]
    inner.asked.clear()
    assert await made.get([key(1)]) == [answer(1)]
    assert inner.asked == []
    inner.keeps = False
    assert not made.keep([(key(2), answer(2))])
    assert await made.get([key(2)]) == [None]


async def test_another_proof_at_the_same_address_is_a_miss() -> None:
    made, _, _ = layer()
    await made.put([(key(1), answer(1))])
    assert await made.get([ItemKey(key(1).address, b"another")]) == [None]


async def test_the_least_used_go_first_and_forms_count() -> None:
    each = weigh(answer(0))
    made, inner, clock = layer(limit=3 * each)
    for number in (1, 2, 3):
        await made.put([(key(number), answer(number))])
    (first,) = await made.get([key(1)])
    assert first is not None
    first.fragments["float"] = b"x" * (each - FORM_OVERHEAD_BYTES)
    await clock.advance(1)
    await made.get([key(1)])
    assert made.weight == 3 * each
    inner.asked.clear()
    await made.get([key(1), key(3), key(2)])
    assert inner.asked == [2]


async def test_no_bytes_hold_nothing() -> None:
    made, inner, _ = layer(limit=0)
    await made.put([(key(1), answer(1))])
    assert await made.get([key(1)]) == [answer(1)]
    assert inner.asked == [1]
    assert made.weight == 0


async def test_one_larger_than_everything_is_answered_and_not_kept() -> None:
    made, inner, _ = layer(limit=OVERHEAD_BYTES)
    await made.put([(key(1), answer(1, values=100))])
    assert await made.get([key(1), key(1)]) == [answer(1, values=100)] * 2
    await made.get([])
    assert made.weight == 0
    assert inner.asked


async def test_forms_made_while_others_ask_are_counted() -> None:
    made, _, clock = layer(limit=50_000)
    for number in range(40):
        await made.put([(key(number), answer(number))])
        (held,) = await made.get([key(number)])
        assert held is not None
        await made.get([key(0)])  # another request, before the first has assembled
        held.fragments["float"] = b"x" * 5_000
    await clock.advance(1)
    await made.get([])
    assert made.weight <= 50_000
    assert made.weight == sum(weigh(entry.answer) for entry in made._held.values())


async def test_forms_that_answers_will_get_are_reckoned_with_before_they_are_weighed() -> None:
    made, _, clock = layer(limit=100_000)
    for number in range(400):
        await made.put([(key(number), answer(number))])
        (held,) = await made.get([key(number)])
        assert held is not None
        held.fragments["float"] = b"x" * 5_000
        clock.now += number < 100  # then many within a second
        taken = sum(weigh(entry.answer) for entry in made._held.values())
        assert taken < 1.1 * made.limit_bytes
    assert taken > 0.9 * made.limit_bytes


async def test_one_too_large_does_not_empty_the_layer() -> None:
    made, inner, _ = layer(limit=2 * OVERHEAD_BYTES)
    await made.put([(key(1), answer(1)), (key(2), answer(2, values=10_000))])
    inner.asked.clear()
    await made.get([key(1)])
    assert inner.asked == []


@pytest.mark.parametrize("limit", [0, 3_000, 100_000])
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 300)), max_size=40))
def test_after_each_call_it_is_within_its_limit_and_never_wrong(limit: int, steps: list[tuple[bool, int, int]]) -> None:
    async def run() -> None:
        made, _, _ = layer(limit)
        truth: dict[int, Answer] = {}
        for writes, number, values in steps:
            if writes:
                truth[number] = answer(number, values)
                await made.put([(key(number), truth[number])])
            else:
                assert await made.get([key(number)]) == [truth.get(number)]
            await made.get([])
            assert 0 <= made.weight <= limit
            assert made.weight == sum(held.weight for held in made._held.values())

    asyncio.run(run())


async def test_an_answer_is_held_as_long_as_it_is_this_very_one_and_counts_as_used() -> None:
    made, _, clock = layer(limit=2 * weigh(answer(1)))
    first, second = answer(1), answer(2)
    await made.put([(key(1), first), (key(2), second)])
    assert made.holds([(key(1).proof, first), (key(2).proof, second)], clock.now)
    assert not made.holds([(key(1).proof, answer(1))], clock.now)
    assert not made.holds([(key(1).proof, first), (key(3).proof, second)], clock.now)
    assert made.holds([(key(1).proof, first)], clock.now)
    await made.put([(key(3), answer(3))])
    assert made.holds([(key(1).proof, first)], clock.now)
    assert not made.holds([(key(2).proof, second)], clock.now)
    assert not made.holds([(key(1).proof, first)], clock.now + 60.0)


async def test_what_went_past_the_layer_is_known() -> None:
    made, inner, _ = layer(limit=2 * weigh(answer(1)))
    await inner.put([(key(1), answer(1))])
    await made.get([key(1), key(2)])
    await made.get([key(1)])
    assert (made.found, made.missing, made.evicted, made.entries) == (1, 1, 0, 1)
    await made.put([(key(number), answer(number)) for number in (3, 4)])
    assert (made.evicted, made.entries) == (1, 2)
    assert made.weight <= made.limit_bytes


async def test_forms_go_before_answers_do() -> None:
    made, inner, clock = layer(3 * (OVERHEAD_BYTES + 16) + 500)
    for number in (1, 2, 3):
        await made.put([(key(number), answer(number))])
    held = await made.get([key(number) for number in (1, 2, 3)])
    for entry in held:
        assert entry is not None
        entry.fragments["json"] = b"f" * 400
    clock.now += 2
    assert await made.get([key(3)]) == [answer(3)]
    assert [len(entry.fragments) for entry in held if entry is not None] == [0, 0, 0]
    assert (made.entries, made.evicted, inner.asked) == (3, 0, [])


async def test_forms_that_were_made_of_what_was_at_hand_are_counted() -> None:
    made, _, clock = layer()
    await made.put([(key(1), answer(1))])
    clock.now += 2
    await made.get([])
    found = made.at_hand([key(1), key(1)], clock.now)
    assert found is not None
    found[0].fragments["json"] = b"f" * 5_000
    clock.now += 2
    assert made.at_hand([key(1), key(2)], clock.now) is None
    assert made.weight == weigh(found[0])


LOST: dict[str, tuple[float, int]] = {"put anew": (0.0, 1), "expired": (61.0, 1), "nothing": (0.0, 0)}


@pytest.mark.parametrize("case", LOST)
async def test_who_follows_answers_hears_of_their_loss(case: str) -> None:
    later, times = LOST[case]
    made, _, clock = layer()
    lost: list[int] = []
    made.tell(lambda: lost.append(1))
    await made.put([(key(number), answer(number)) for number in (1, 2, 3)])
    clock.now += 1.0
    await made.put([(key(2), answer(2))])
    assert made.follow([key(1), key(2)]) == clock.now + 59.0
    await made.put([(key(3), answer(4)), (key(4), answer(4))])
    clock.now += later
    if case == "put anew":
        await made.put([(key(1), answer(1))])
    await made.get([key(1)])
    assert len(lost) == times


async def test_who_follows_answers_hears_of_forms_and_answers_that_make_room() -> None:
    made, _, clock = layer(2 * (OVERHEAD_BYTES + 16) + 500)
    lost: list[int] = []
    made.tell(lambda: lost.append(1))
    first = answer(1)
    await made.put([(key(1), first), (key(2), answer(2))])
    first.fragments["form"] = b"x" * 100
    await made.get([key(1)])
    clock.now += 2.0
    await made.get([key(1)])
    made.follow([key(1)])
    await made.put([(key(3), answer(3))])
    assert (lost, first.fragments) == ([], {"form": b"x" * 100})
    held = made._held[key(1).proof]
    made._limit = made.weight - 1
    while held.weight > held.least:
        made._limit -= 1
        made._evict()
    assert (lost, first.fragments) == ([1], {})
    made._limit = 0
    made._evict()
    assert lost == [1, 1]


async def test_what_was_just_computed_is_weighed_once_it_is_used() -> None:
    made, _, clock = layer()
    await made.put([(key(1), answer(1))])
    assert made.keep([(key(2), answer(2))])
    assert not made._touched
    (first,) = await made.get([key(1)])
    assert first is not None
    first.fragments["form"] = b"x" * 500
    before = made.weight
    clock.now += 2.0
    await made.get([key(2)])
    assert made.weight > before + 500
