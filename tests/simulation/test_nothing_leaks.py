"""Clients that hang up at every moment leave nothing behind, and only stop what nobody is charged for yet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fakes.clock import settled
from fakes.fan_out import FanOut
from fakes.replicas import Fault, reset, status, unreachable
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.backends import KeyLimits

MOODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batched": {"batch": True},
    "hedged": {"hedge": True},
    "shaped": {"limits": KeyLimits(rpm=1_000, concurrency=2), "batch": True},
    "narrow": {"concurrency": 1, "batch": True, "hedge": True},
}
FAULTS: list[Fault | None] = [
    unreachable(),
    reset(),
    status(500),
    status(429, 1),
    status(422),
    status(401),
    None,
    None,
    None,
]


def failing(town: FanOut, names: str) -> None:
    """Anything may happen, and a second call may be sent after a millisecond."""
    town.knows_what_is_usual(0.001)
    for name in names:
        town.replicas.scripts[name].always = lambda: FAULTS[int(town.clock.random() * len(FAULTS))]


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("flown", [False, True], ids=["asked", "flown"])
async def test_a_client_that_hangs_up_after_any_number_of_steps_leaves_nothing(mood: str, flown: bool) -> None:  # noqa: FBT001 - a table's column
    for steps in range(40):
        town = FanOut("ab", seed=steps, **MOODS[mood])
        failing(town, "ab")
        ask = town.fly if flown else town.ask
        tasks = [ask(*texts) for texts in (["one"], ["two", "three"], [f"item {at}" for at in range(20)])]
        for step in range(steps):
            await asyncio.sleep(0)
            if step % 3 == 2:
                await town.clock.advance(0.004)
        for task in tasks:
            task.cancel()
        await settled()
        await town.at_rest()


@given(
    st.sampled_from(sorted(MOODS)),
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(1, 12), st.none() | st.floats(0, 0.5)), min_size=1, max_size=25),
    st.integers(0, 1_000),
)
@settings(max_examples=40, deadline=None)
async def test_whoever_hangs_up_whenever_and_whatever_fails_nothing_is_left(
    mood: str, arrivals: list[tuple[float, int, float | None]], seed: int
) -> None:
    town = FanOut("abc", seed=seed, **MOODS[mood])
    failing(town, "abc")
    for wait, size, patience in arrivals:
        asked = town.ask(*[f"{len(town.asked)} {at}" for at in range(size)], seconds=5.0)
        if patience is not None:
            asyncio.get_running_loop().create_task(_hang_up(town, asked, patience))
        await town.clock.advance(wait)
    await town.over(step=0.05)
    await town.at_rest()


async def _hang_up(town: FanOut, asked: asyncio.Task[Any], patience: float) -> None:
    await town.clock.sleep(patience)
    asked.cancel()


async def test_a_probe_that_is_hung_up_on_makes_room_for_the_next_at_once() -> None:
    town = FanOut("a", retries=0)
    town.replicas.scripts["a"].faults.extend([status(500)] * 5)
    await town.over(*[town.ask("x") for _ in range(5)])
    town.replicas.calls.clear()
    probe = town.ask("probe")
    while not town.replicas.calls:
        await town.clock.advance(0.01)
    probe.cancel()
    await settled()
    cut_off = town.clock.now
    (found,) = await town.over(town.ask("next"))
    assert found.failure is None
    assert town.replicas.calls[1].at == cut_off
    await town.at_rest()


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "gathered"])
@pytest.mark.parametrize(
    ("storable", "sent", "ended"),
    [(True, False, None), (False, False, None), (True, True, "answered"), (False, True, "cut_off")],
    ids=["queued", "queued, not kept", "sent", "sent, not kept"],
)
async def test_who_hangs_up_stops_what_is_not_sent_or_not_kept(
    batch: bool,  # noqa: FBT001 - a table's column
    storable: bool,  # noqa: FBT001 - a table's column
    sent: bool,  # noqa: FBT001 - a table's column
    ended: str | None,
) -> None:
    town = FanOut("a", concurrency=1, batch=batch)
    ahead = None if sent else town.fly("ahead")
    await town.clock.advance(0.01)
    client = town.fly("text", storable=storable)
    await town.clock.advance(0.005)
    client.cancel()
    await settled()
    if ahead is not None:
        await town.over(ahead)
    await town.at_rest()
    assert [call.ended for call in town.replicas.calls if call.inputs == ["text"]] == ([ended] if ended else [])
    assert [text for text, _ in town.kept if text == "text"] == (["text"] if ended == "answered" else [])


async def test_what_two_wait_for_is_sent_when_one_hangs_up() -> None:
    town = FanOut("a", concurrency=1)
    town.fly("ahead")
    await town.clock.advance(0.01)
    gone, stays = town.fly("text"), town.fly("text")
    await town.clock.advance(0.005)
    gone.cancel()
    (fresh,) = await town.over(stays)
    assert list(fresh.answers) == [0]
    assert [call.inputs for call in town.replicas.calls] == [["ahead"], ["text"]]
    await town.at_rest()
