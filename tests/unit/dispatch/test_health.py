"""P: the written spec of gateway.dispatch.health, point by point."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.health import (
    EJECTED_SECONDS,
    FAILURES_IN_A_ROW,
    FIRST_FACTOR,
    FIRST_OPEN_SECONDS,
    LONGEST_OPEN_SECONDS,
    MISFITS_IN_A_ROW,
    PROBE_SECONDS,
    SAMPLES,
    WARM_SECONDS,
    Breaker,
    Ejection,
    Pass,
    State,
)

START = 1_000.0


def call(breaker: Breaker, now: float, *, ok: bool | None, chance: float = 0.0) -> bool:
    admitted = breaker.begin(now)
    assert admitted is not None
    return breaker.record(now, admitted, ok, chance)


def opened(now: float = START, chance: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW):
        call(breaker, now, ok=False, chance=chance)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, START, ok=False)
    call(breaker, START, ok=True)
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, START, ok=False)
    assert breaker.state(START) is State.CLOSED
    call(breaker, START, ok=False)
    assert breaker.state(START) is State.OPEN
    assert breaker.begin(START) is None
    assert breaker.reopens(START) == FIRST_OPEN_SECONDS


@pytest.mark.parametrize(("pattern", "expected"), [("sf", State.OPEN), ("ssf", State.CLOSED)])
def test_a_rate_of_failures_opens_it_once_there_are_enough_calls(pattern: str, expected: State) -> None:
    breaker = Breaker()
    for number in range(SAMPLES - 1):
        call(breaker, START, ok=pattern[number % len(pattern)] == "s")
    assert breaker.state(START) is State.CLOSED
    for number in range(SAMPLES - 1, 3 * SAMPLES):
        if breaker.admits(START):
            call(breaker, START, ok=pattern[number % len(pattern)] == "s")
    assert breaker.state(START) is expected


def test_old_calls_are_forgotten() -> None:
    breaker = Breaker()
    for number in range(SAMPLES - 1):
        call(breaker, START, ok=number % 2 == 0)
    for number in range(4):
        call(breaker, START + 10.0, ok=number % 2 == 0)
    assert breaker.state(START + 10.0) is State.CLOSED


def test_what_says_nothing_counts_for_nothing() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, START, ok=False)
    assert not call(breaker, START, ok=None)
    call(breaker, START, ok=False)
    assert breaker.state(START) is State.OPEN


def test_it_is_open_for_longer_each_time_until_it_was_well_for_a_while() -> None:
    breaker, now, seen = opened(), START, list[float]()
    for _ in range(6):
        seen.append(breaker.reopens(now))
        now += seen[-1]
        assert call(breaker, now, ok=False)
    assert seen == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    now += breaker.reopens(now)
    call(breaker, now, ok=True)
    for _ in range(FAILURES_IN_A_ROW):
        call(breaker, now + 1, ok=False)
    assert breaker.reopens(now + 1) == LONGEST_OPEN_SECONDS
    now += 1 + LONGEST_OPEN_SECONDS
    call(breaker, now, ok=True)
    for _ in range(FAILURES_IN_A_ROW):
        call(breaker, now + WARM_SECONDS, ok=False)
    assert breaker.reopens(now + WARM_SECONDS) == FIRST_OPEN_SECONDS


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 0.5), (0.5, 0.375), (0.999, 0.25)])
def test_chance_spreads_the_probes(chance: float, seconds: float) -> None:
    assert opened(chance=chance).reopens(START) == pytest.approx(seconds, abs=0.001)


def test_half_open_it_admits_one_probe() -> None:
    breaker, now = opened(), START + FIRST_OPEN_SECONDS
    assert breaker.state(now) is State.HALF_OPEN
    probe = breaker.begin(now)
    assert probe is not None
    assert not breaker.admits(now)
    assert breaker.begin(now) is None
    assert breaker.record(now + 0.1, probe, True, 0.0)  # noqa: FBT003 - an outcome
    assert breaker.state(now + 0.1) is State.CLOSED
    assert breaker.admits(now + 0.1)


def test_a_cancelled_probe_makes_room_at_once() -> None:
    breaker, now = opened(), START + FIRST_OPEN_SECONDS
    assert call(breaker, now, ok=None)
    assert breaker.state(now) is State.HALF_OPEN
    assert breaker.admits(now)


def test_a_probe_that_never_reports_does_not_keep_it_half_open() -> None:
    breaker, now = opened(), START + FIRST_OPEN_SECONDS
    lost = breaker.begin(now)
    assert lost is not None
    assert breaker.reopens(now + 1) == PROBE_SECONDS - 1
    later = now + PROBE_SECONDS
    second = breaker.begin(later)
    assert second is not None
    assert not breaker.record(later, lost, None, 0.0)
    assert not breaker.admits(later)
    assert breaker.record(later, lost, True, 0.0)  # noqa: FBT003 - late, but an answer
    assert breaker.state(later) is State.CLOSED
    assert not breaker.record(later, second, False, 0.0)  # noqa: FBT003 - an outcome


def test_calls_from_before_change_nothing() -> None:
    breaker = Breaker()
    before = [breaker.begin(START) for _ in range(50)]
    for admitted in before[:FAILURES_IN_A_ROW]:
        assert admitted is not None
        breaker.record(START + 1, admitted, False, 0.0)  # noqa: FBT003 - an outcome
    until = breaker.reopens(START + 1)
    for number, admitted in enumerate(before[FAILURES_IN_A_ROW:]):
        assert admitted is not None
        breaker.record(START + 1, admitted, number % 2 == 0, 0.0)
    assert breaker.reopens(START + 1) == until
    assert breaker.state(START + 1) is State.OPEN


def test_it_warms_up() -> None:
    assert Breaker().factor(START) == 1.0
    breaker, now = opened(), START + FIRST_OPEN_SECONDS
    assert breaker.factor(START) == breaker.factor(now) == FIRST_FACTOR
    call(breaker, now, ok=True)
    assert [breaker.factor(now + seconds) for seconds in (0, 5, WARM_SECONDS, 99)] == [FIRST_FACTOR, 0.5, 1.0, 1.0]


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "good", "bad", "bad", "bad", "none", "lose", "wait"]), st.floats(0, 8)),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(steps=steps, chance=st.floats(0, 1, exclude_max=True))
def test_whatever_happens_it_is_never_shut_for_ever(steps: list[tuple[str, float]], chance: float) -> None:
    breaker, now, running = Breaker(), START, list[Pass]()
    for what, amount in steps:
        if what == "wait":
            now += amount
        elif what == "begin":
            was = breaker.state(now)
            if (admitted := breaker.begin(now)) is not None:
                running.append(admitted)
                assert was is not State.OPEN
                assert breaker.admits(now) is (was is State.CLOSED)
        elif running:
            admitted = running.pop(int(amount) % len(running))
            if what != "lose":
                breaker.record(now, admitted, {"good": True, "bad": False}.get(what), chance)
        wait = breaker.reopens(now)
        assert 0 <= wait <= LONGEST_OPEN_SECONDS
        assert breaker.admits(now) is (wait <= 0)
        assert breaker.admits(now + wait + 1e-6)
        assert FIRST_FACTOR <= breaker.factor(now) <= 1


def test_misfits_in_a_row_eject_for_a_while_and_the_next_one_again() -> None:
    ejection = Ejection()
    for _ in range(MISFITS_IN_A_ROW - 1):
        assert not ejection.record(START, ok=True, misfit=True)
    assert not ejection.record(START, ok=True)
    for _ in range(MISFITS_IN_A_ROW - 1):
        assert not ejection.record(START, ok=True, misfit=True)
    assert ejection.record(START, ok=True, misfit=True)
    assert ejection.out(START + EJECTED_SECONDS - 0.1)
    assert not ejection.record(START + 1, ok=True, misfit=True)
    back = START + EJECTED_SECONDS
    assert not ejection.out(back)
    assert ejection.record(back, ok=True, misfit=True)


@pytest.mark.parametrize(("every", "out"), [(9, True), (12, False)])
def test_failures_of_any_kind_eject_by_their_rate(every: int, out: bool) -> None:  # noqa: FBT001 - a table
    ejection = Ejection()
    ejected = [ejection.record(START, ok=number % every != every - 1) for number in range(5 * SAMPLES)]
    assert any(ejected) is out
    assert not any(ejected[: SAMPLES - 1])
