from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from gateway.alarm import NEVER, Alarm

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(eq=False)
class Call:
    until: float = NEVER
    told: int = 0

    def late(self) -> None:
        self.told += 1
        self.until = NEVER


@dataclass
class Loop:
    """A loop's timers, which ring when `at` is called."""

    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, ring: Callable[[], None]) -> Timer:
        timer = Timer(when, ring, self.timers)
        self.timers.append(timer)
        return timer

    def at(self, now: float) -> None:
        self.now = now
        for timer in [timer for timer in self.timers if timer.when <= now]:
            self.timers.remove(timer)
            timer.ring()


@dataclass(eq=False)
class Timer:
    when: float
    ring: Callable[[], None]
    timers: list[Timer]

    def cancel(self) -> None:
        if self in self.timers:
            self.timers.remove(self)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


def begin(alarm: Alarm, running: list[Call], until: float) -> Call:
    """What whoever begins a call does."""
    call = Call(until)
    running.append(call)
    if until < alarm.rings:
        alarm.wind(until)
    return call


def test_each_call_is_told_at_its_own_time_whatever_the_order(loop: Loop) -> None:
    running: list[Call] = []
    alarm = Alarm(running)
    calls = [begin(alarm, running, until) for until in (5.0, 9.0, 2.0, 5.0, 7.0)]
    told = []
    for now in range(1, 11):
        loop.at(float(now))
        told.append([call.told for call in calls])
        assert len(loop.timers) <= 1
    assert told[0] == [0, 0, 0, 0, 0]
    assert told[1] == told[3] == [0, 0, 1, 0, 0]
    assert told[4] == told[5] == [1, 0, 1, 1, 0]
    assert told[6] == told[7] == [1, 0, 1, 1, 1]
    assert told[9] == [1, 1, 1, 1, 1]
    assert not loop.timers


def test_what_ended_in_time_is_not_told_and_sets_no_timer(loop: Loop) -> None:
    running: list[Call] = []
    alarm = Alarm(running)
    first, second = begin(alarm, running, 5.0), begin(alarm, running, 6.0)
    assert [timer.when for timer in loop.timers] == [5.0]
    first.until = NEVER
    loop.at(5.0)
    assert (first.told, second.told) == (0, 0)
    assert [timer.when for timer in loop.timers] == [6.0]
    second.until = NEVER
    loop.at(6.0)
    assert (second.told, loop.timers, alarm.rings) == (0, [], NEVER)


def test_a_timer_that_rings_a_little_early_has_rung(loop: Loop) -> None:
    running: list[Call] = []
    call = begin(Alarm(running), running, 5.0)
    loop.timers[0].when = loop.now = 4.9995
    loop.at(4.9995)
    assert call.told == 1


def test_a_stopped_alarm_tells_nobody_until_it_is_wound_again(loop: Loop) -> None:
    running: list[Call] = []
    alarm = Alarm(running)
    call = begin(alarm, running, 5.0)
    alarm.stop()
    alarm.stop()
    loop.at(9.0)
    assert (call.told, loop.timers) == (0, [])
    assert begin(alarm, [], 12.0).told == 0
    assert alarm.rings == 12.0
