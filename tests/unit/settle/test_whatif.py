from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settle.whatif import SAMPLED, Outlook, hit_ratio, outlooks

STEPS = st.tuples(st.integers(0, 2), st.integers(0, 5))
TRACES = st.one_of(st.lists(STEPS, max_size=10), st.lists(STEPS, min_size=30, max_size=60))


def trace_of(steps: list[tuple[int, int]]) -> list[tuple[float, bytes]]:
    """Seconds since the access before, and which of few addresses."""
    now, trace = 0, []
    for pause, address in steps:
        now += pause
        trace.append((float(now), bytes([address])))
    return trace


def brute(trace: list[tuple[float, bytes]], ttl: float, room: int | None) -> float:
    """The same cache, looked through from end to end at each access."""
    held: list[tuple[float, bytes]] = []  # (written, address), least recently used first
    hits = 0
    for now, address in trace:
        held = [entry for entry in held if now < entry[0] + ttl]
        match = next((entry for entry in held if entry[1] == address), None)
        if match is not None:
            hits += 1
            held.remove(match)
            held.append(match)
            continue
        if room is not None and len(held) >= room:
            held.pop(0)
        held.append((now, address))
    return hits / len(trace) if trace else 0.0


@given(steps=TRACES, ttl=st.integers(1, 40), room=st.one_of(st.none(), st.integers(1, 5)))
def test_a_whole_trace_gives_what_a_cache_would_have_hit(
    steps: list[tuple[int, int]], ttl: int, room: int | None
) -> None:
    trace = trace_of(steps)
    assert hit_ratio(trace, ttl, room, sampled=1) == brute(trace, ttl, room)
    assert hit_ratio(trace, ttl, room and room * SAMPLED) == brute(trace, ttl, room)


def test_what_was_used_last_stays_longest() -> None:
    trace = [(float(at), name.encode()) for at, name in enumerate("abaca")]
    assert hit_ratio(trace, 100, 2, sampled=1) == 0.4


@given(steps=TRACES, room=st.integers(1, 7))
def test_a_larger_cache_never_hits_less_while_nothing_expires(steps: list[tuple[int, int]], room: int) -> None:
    trace = trace_of(steps)
    assert hit_ratio(trace, 10_000, room, sampled=1) <= hit_ratio(trace, 10_000, room + 1, sampled=1)


def test_the_sample_tells_of_the_whole() -> None:
    chance = random.Random(7)  # noqa: S311 - a workload
    whole = [(float(at), chance.randbytes(2)[:2]) for at in range(30_000)]
    whole = [(at, bytes([name[0], name[1] & 31])) for at, name in whole]
    sample = [access for access in whole if access[1][0] < 32]
    for room in (1_000, 4_000):
        exact = hit_ratio(whole, 1e9, room, sampled=1)
        assert hit_ratio(sample, 1e9, room, sampled=8) == pytest.approx(exact, abs=0.03)


def test_the_table_has_a_row_for_each_lifetime_and_size() -> None:
    trace = [(0.0, b"a"), (5.0, b"b"), (6.0, b"a"), (7.0, b"b")]
    assert outlooks(trace, [3, 10], [None, SAMPLED]) == (
        Outlook(3, None, 0.25),
        Outlook(3, SAMPLED, 0.0),
        Outlook(10, None, 0.5),
        Outlook(10, SAMPLED, 0.0),
    )
    assert outlooks([], [1], [None]) == (Outlook(1, None, 0.0),)
