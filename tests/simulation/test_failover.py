"""Failures of single backends: who is asked next, when nobody is, and how much more is sent for that."""

from __future__ import annotations

import pytest
from fakes.fan_out import FanOut
from fakes.replicas import Fault, Script, reset, status, unreachable

from gateway.dispatch.retry_budget import RETRY_FLOOR, RETRY_PART, WINDOW_SECONDS
from gateway.errors import Code

ELSEWHERE = [unreachable(), reset(), status(500), status(424), status(429), status(401), status(404)]


def sick(town: FanOut, *names: str) -> None:
    """These backends fail from now on."""
    for name in names:
        town.replicas.scripts[name].always = lambda: status(500)


async def opened(town: FanOut) -> None:
    """The breaker of the only backend `a` opens; it is well from then on."""
    sick(town, "a")
    await town.over(*[town.ask("x") for _ in range(5)])
    town.replicas.scripts["a"].always = lambda: None
    town.replicas.calls.clear()


@pytest.mark.parametrize("fault", ELSEWHERE, ids=["unreachable", "reset", "500", "424", "429", "401", "404"])
async def test_a_replica_answers_at_once_what_another_failed_at(fault: Fault) -> None:
    town = FanOut("ab")
    town.replicas.scripts["a"].always = town.replicas.scripts["b"].always = lambda: (
        fault if len(town.replicas.calls) == 1 else None
    )
    (found,) = await town.over(town.ask("text"))
    assert found.failure is None
    first, second = town.replicas.calls
    assert first.backend != second.backend
    assert second.at == pytest.approx(first.at + 0.02)
    await town.at_rest()


async def test_a_dead_replica_is_left_alone_and_costs_nobody_an_error() -> None:
    town = FanOut("ab")
    sick(town, "a")
    for _ in range(300):
        town.ask("text")
        await town.clock.advance(0.01)
    assert [found.failure for found in await town.over()] == [None] * 300
    assert len(town.replicas.to("a")) < 20


async def test_a_breaker_opens_and_those_who_come_then_wait_for_its_probe() -> None:
    town = FanOut("a", retries=0)
    await opened(town)
    asked = [town.ask("waits") for _ in range(20)]
    await town.clock.advance(0.2)
    assert not town.replicas.calls
    found = await town.over(*asked)
    assert [one.failure for one in found] == [None] * 20
    probe, *rest = town.replicas.calls
    assert min(call.at for call in rest) >= probe.at + 0.02
    await town.at_rest()


async def test_those_who_wait_are_told_when_the_probe_is_lost() -> None:
    town = FanOut("a", retries=0)
    await opened(town)
    sick(town, "a")
    found = await town.over(*[town.ask("waits") for _ in range(20)])
    assert {one.failure.code for one in found} == {Code.SERVICE_UNAVAILABLE}
    assert len(town.replicas.calls) == 1
    assert town.clock.now < 1_000 + 2
    await town.at_rest()


async def test_a_probe_that_takes_long_is_waited_for_until_the_deadline() -> None:
    town = FanOut("a", retries=0)
    await opened(town)
    town.replicas.scripts["a"].seconds = lambda: 1.0
    probe = town.ask("probe")
    while not town.replicas.calls:
        await town.clock.advance(0.01)
    patient, hasty = town.ask("patient", seconds=3.0), town.ask("hasty", seconds=0.5)
    _, late, answered = await town.over(probe, hasty, patient)
    assert answered.failure is None
    assert late.failure.code is Code.SERVICE_UNAVAILABLE
    await town.at_rest()


async def test_a_lost_probe_of_one_backend_is_not_the_end_while_another_may_come_back() -> None:
    town = FanOut("ab", retries=0)
    sick(town, "a", "b")
    while len([place for place in town.fleet._places.values() if not place.breaker.admits(town.clock.now)]) < 2:
        await town.over(*[town.ask("x") for _ in range(3)])
    town.replicas.calls.clear()
    town.replicas.scripts["a"].always = town.replicas.scripts["b"].always = lambda: (
        status(500) if len(town.replicas.calls) == 1 else None
    )
    found = await town.over(*[town.ask("waits") for _ in range(10)])
    assert sorted(one.failure is None for one in found) == [False] + [True] * 9


@pytest.mark.parametrize("spacing", [0.05, 0.002])
async def test_retries_are_a_tenth_of_traffic_whatever_fails(spacing: float) -> None:
    town = FanOut("abc", retries=3, concurrency=1_000)
    for name in "abc":  # enough is answered that another one can be asked at once
        town.replicas.scripts[name] = Script(
            seconds=lambda: 0.01, always=lambda: status(500) if town.clock.random() < 0.3 else None
        )
    for at in range(1_500):
        town.ask(f"text {at}")
        await town.clock.advance(spacing)
    await town.over()
    own: dict[str, float] = {}
    extra: list[float] = []
    for call in town.replicas.calls:
        if call.inputs[0] in own:
            extra.append(call.at)
        own.setdefault(call.inputs[0], call.at)
    for now in extra:
        recent = [sum(now - WINDOW_SECONDS < at <= now for at in times) for times in (extra, own.values())]
        assert recent[0] <= RETRY_FLOOR + RETRY_PART * recent[1]
    assert len(extra) > 0.08 * len(own)
    await town.at_rest()


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.25, 0.4, 1.0])
async def test_nothing_is_sent_at_or_after_the_deadline(seconds: float) -> None:
    town = FanOut("ab", retries=10)
    sick(town, "a", "b")
    start = town.clock.now
    (found,) = await town.over(town.ask("text", seconds=seconds))
    assert found.failure is not None
    assert max(call.at for call in town.replicas.calls) < start + seconds
    assert town.clock.now <= start + seconds + 0.02
