"""Second calls for those that take long: when, for how much, and what becomes of the slower one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.fan_out import FanOut
from fakes.replicas import Script, status

from gateway.dispatch.hedging import PART
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import RawReply

USUAL = 0.02


def seconds_of(town: FanOut, name: str, *, stuck: Callable[[], bool]) -> None:
    """A backend that takes its usual time, or far longer."""
    town.replicas.scripts[name] = Script(seconds=lambda: 2.0 if stuck() else USUAL)


def stuck_once(town: FanOut) -> None:
    for name in "ab":
        seconds_of(town, name, stuck=lambda: len(town.replicas.calls) == 1)


async def test_a_call_that_takes_long_is_sent_elsewhere_and_the_slower_one_broken_off() -> None:
    town = FanOut("ab", hedge=True)
    town.knows_what_is_usual(USUAL)
    stuck_once(town)
    started = town.clock.now
    (found,) = await town.over(town.ask("text"), step=0.001)
    first, second = town.replicas.calls
    assert found.failure is None
    assert first.backend != second.backend
    assert second.at == pytest.approx(started + USUAL)
    assert town.clock.now == pytest.approx(started + 2 * USUAL, abs=0.002)
    assert (first.ended, second.ended) == ("cut_off", "answered")
    assert town.observer.hedged == [second.backend]
    await town.at_rest()


async def test_the_second_call_goes_elsewhere_however_busy_that_is() -> None:
    town = FanOut("ab", hedge=True)
    town.knows_what_is_usual(USUAL)
    stuck_once(town)
    asked = town.ask("text")
    await town.clock.advance(0.001)
    for place in town.fleet._places.values():
        place.outstanding += 100 * (place.backend != town.replicas.calls[0].backend)
    await town.over(asked)
    assert {call.backend for call in town.replicas.calls} == {"a", "b"}


@pytest.mark.parametrize("lane", [Lane.BULK, Lane.INTERACTIVE])
async def test_bulk_and_large_calls_are_not_sent_twice(lane: Lane) -> None:
    town = FanOut("ab", hedge=True)
    town.knows_what_is_usual(USUAL)
    stuck_once(town)
    text = "text" if lane is Lane.BULK else "long " * 2_000
    await town.over(town.ask(text, lane=lane))
    assert len(town.replicas.calls) == 1


async def test_where_one_of_them_may_not_be_asked_twice_nobody_is() -> None:
    town = FanOut("ab", hedge=True, each={"b": {"hedge": False}})
    town.knows_what_is_usual(USUAL)
    stuck_once(town)
    await town.over(town.ask("text"))
    assert len(town.replicas.calls) == 1


async def test_second_calls_are_a_fiftieth_of_all_when_everything_is_late() -> None:
    town = FanOut("ab", hedge=True, concurrency=1_000)
    town.knows_what_is_usual(USUAL, 500)
    for name in "ab":
        seconds_of(town, name, stuck=lambda: town.clock.random() < 0.5)
    for _ in range(1_000):
        town.ask("text")
        await town.clock.advance(0.01)
    await town.over()
    hedges = len(town.observer.hedged)
    assert 0 < hedges <= PART * (1_000 + 500)
    assert len(town.replicas.calls) == 1_000 + hedges
    await town.at_rest()


@pytest.mark.parametrize("second", [None, status(500), status(422)], ids=["answered", "500", "422"])
async def test_a_failure_of_one_is_not_the_answer_of_two(second: RawReply | None) -> None:
    """The first one fails while the second one runs, or at the same moment."""
    town = FanOut("ab", hedge=True, retries=0)
    town.knows_what_is_usual(USUAL)
    started = town.clock.now
    for script in (town.replicas.scripts["a"], town.replicas.scripts["b"]):
        script.seconds = lambda: 0.06 if len(town.replicas.calls) == 1 else 0.04
        script.always = lambda: status(500) if len(town.replicas.calls) == 1 else second
    (found,) = await town.over(town.ask("text"), step=0.001)
    assert (found.failure is None) is (second is None or second.status == 422)
    assert town.clock.now == pytest.approx(started + 0.06, abs=0.002)
    await town.at_rest()
