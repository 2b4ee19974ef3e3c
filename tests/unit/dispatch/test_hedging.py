"""P: the written spec of gateway.dispatch.hedging, by simulated backends of which some calls are slow."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from statistics import quantiles

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.hedging import PART, RING, SAMPLES, SMALL_TOKENS, Hedger
from gateway.dispatch.retry_budget import WINDOW_SECONDS
from gateway.vocabulary import Lane

FAST, BULK = Lane.INTERACTIVE, Lane.BULK
RATE = 100.0
SECONDS = 300


def run(hedger: Hedger, slow: float, seed: int = 1) -> tuple[list[float], list[tuple[float, int]], int]:
    """Calls at RATE, the part `slow` takes ten times as long: what clients waited, second calls, all tokens."""
    chance, order, total = Random(seed), 0, 0  # noqa: S311 - a simulation
    events: list[tuple[float, int, str, float, int, float]] = []
    waited: list[float] = []
    second: list[tuple[float, int]] = []

    def takes() -> float:
        return chance.uniform(0.05, 0.15) * (10 if chance.random() < slow else 1)

    now = 0.0
    while now < SECONDS:
        now += chance.expovariate(RATE)
        heappush(events, (now, order, "start", 0.0, chance.choice([5, 50, 500]), 0.0))
        order += 1
    while events:
        now, _, what, started, tokens, end = heappop(events)
        order += 1
        if what == "start":
            total += tokens
            hedger.seen(now, tokens)
            end = now + takes()
            delay = hedger.after(tokens, FAST)
            late = delay is not None and now + delay < end
            when = now + delay if delay is not None and late else end
            heappush(events, (when, order, "late" if late else "end", now, tokens, end))
        elif what == "late":
            if hedger.take(now, tokens):
                second.append((now, tokens))
                end = min(end, now + takes())
            heappush(events, (end, order, "end", started, tokens, end))
        else:
            waited.append(now - started)
            hedger.record(tokens, FAST, now - started)
    return waited, second, total


def percentile(waited: list[float], thousandth: int) -> float:
    return quantiles(waited, n=1_000)[thousandth - 1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("slow", "thousandth"), [(0.01, 995), (0.015, 990)])
def test_the_slow_hundredth_is_cut_off(slow: float, thousandth: int, seed: int) -> None:
    without, none, _ = run(Hedger(on=False), slow, seed)
    waited, second, _ = run(Hedger(on=True), slow, seed)
    assert not none
    assert percentile(waited, thousandth) < 0.5 * percentile(without, thousandth)
    assert len(second) <= PART * len(waited)


@pytest.mark.parametrize("slow", [0.0, 0.01, 0.05, 0.5])
def test_the_load_grows_by_the_part_at_most_however_slow_it_is(slow: float) -> None:
    waited, second, tokens = run(Hedger(on=True), slow)
    assert len(second) <= PART * len(waited)
    assert sum(amount for _, amount in second) <= PART * tokens
    for edge in range(0, SECONDS, 7):
        near = [at for at, _ in second if edge <= at < edge + WINDOW_SECONDS]
        assert len(near) <= 1.3 * PART * RATE * WINDOW_SECONDS


def filled(hedger: Hedger, count: int = SAMPLES) -> Hedger:
    for number in range(count):
        hedger.record(10, FAST, number / 1_000)
    return hedger


def test_it_waits_for_what_98_of_100_calls_take() -> None:
    assert filled(Hedger(on=True)).after(10, FAST) == 0.097


@pytest.mark.parametrize(
    ("hedger", "tokens", "lane"),
    [
        (Hedger(on=True), 10, BULK),
        (Hedger(on=True), SMALL_TOKENS + 1, FAST),
        (Hedger(on=False), 10, FAST),
    ],
    ids=["bulk", "large", "off"],
)
def test_never_for(hedger: Hedger, tokens: int, lane: Lane) -> None:
    assert filled(hedger).after(tokens, lane) is None


def test_nothing_is_guessed_from_a_few_calls() -> None:
    assert filled(Hedger(on=True), SAMPLES - 1).after(10, FAST) is None


def test_large_and_bulk_calls_say_nothing_of_small_ones() -> None:
    hedger = filled(Hedger(on=True))
    for _ in range(500):
        hedger.record(10, BULK, 60.0)
        hedger.record(SMALL_TOKENS + 1, FAST, 60.0)
    assert hedger.after(10, FAST) == 0.097


def test_tokens_are_a_budget_of_their_own() -> None:
    hedger = Hedger(on=True)
    for _ in range(1_000):
        hedger.seen(0.0, 10)
    assert not hedger.take(0.0, 201)
    assert hedger.take(0.0, 200)
    assert not hedger.take(0.0, 1)


@settings(deadline=None)
@given(samples=st.lists(st.floats(0, 100), min_size=SAMPLES, max_size=SAMPLES + 50))
def test_the_ring_is_sorted_and_forgets(samples: list[float]) -> None:
    hedger = filled(Hedger(on=True), RING)
    for seconds in samples:
        hedger.record(10, FAST, seconds)
    assert hedger._sorted == sorted(hedger._ring)
    assert len(hedger._ring) == RING
    assert list(hedger._ring)[-len(samples) :] == samples
