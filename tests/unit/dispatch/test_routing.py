"""P: the written spec of gateway.dispatch.routing, by simulated backends that take their time."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.health import WARM_SECONDS, Breaker, Pass
from gateway.dispatch.routing import Candidate, choose, reopens


@dataclass
class Server:
    """Takes `seconds` for each call, however many there are; `dead` from and until."""

    weight: float = 1.0
    seconds: float = 0.1
    dead: tuple[float, float] = (0.0, 0.0)
    ejected: bool = False
    outstanding: int = 0


@dataclass
class Served:
    at: float
    server: int
    tokens: int
    ok: bool


def run(servers: list[Server], concurrency: int, seconds: float, seed: int = 3) -> list[Served]:
    """So many clients that send their next call as soon as they have an answer; what ended, in order."""
    chance, breakers = Random(seed), [Breaker() for _ in servers]  # noqa: S311 - a simulation
    ends: list[tuple[float, int]] = [(chance.random() * 0.1, number) for number in range(concurrency)]
    done: list[Served] = []
    calls: dict[int, tuple[int, int, bool, Pass]] = {}

    def begin(now: float, client: int) -> None:
        candidates = [
            Candidate(s.weight, s.outstanding, b.factor(now), b.admits(now), s.ejected, b.reopens(now))
            for s, b in zip(servers, breakers, strict=True)
        ]
        index = choose(candidates, chance.random(), chance.random(), chance.random())
        if index is None:
            heappush(ends, (now + max(1e-3, reopens(candidates)), client))
            return
        server, admitted = servers[index], breakers[index].begin(now)
        assert admitted is not None
        ok = not server.dead[0] <= now < server.dead[1]
        tokens = chance.choice([10, 100, 400])
        server.outstanding += tokens
        end = now + (server.seconds * chance.uniform(0.5, 1.5) if ok else 0.001)
        calls[client] = (index, tokens, ok, admitted)
        heappush(ends, (end, client))

    while ends[0][0] < seconds:
        now, client = heappop(ends)
        if (call := calls.pop(client, None)) is not None:
            index, tokens, ok, admitted = call
            servers[index].outstanding -= tokens
            breakers[index].record(now, admitted, ok, chance.random())
            done.append(Served(now, index, tokens, ok))
        begin(now, client)
    return done


def shares(done: list[Served], count: int) -> list[float]:
    tokens = [sum(entry.tokens for entry in done if entry.server == index) for index in range(count)]
    return [amount / sum(tokens) for amount in tokens]


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (1, 1, 2), (5, 3, 2), (1, 1, 1, 1)], ids=str)
def test_equally_fast_backends_get_tokens_by_weight(weights: tuple[int, ...]) -> None:
    done = run([Server(weight) for weight in weights], 40 * len(weights), 60)
    for share, weight in zip(shares(done, len(weights)), weights, strict=True):
        assert share == pytest.approx(weight / sum(weights), rel=0.1)


@pytest.mark.parametrize("slower", [2, 10])
def test_a_slow_backend_gets_less(slower: int) -> None:
    done = run([Server(), Server(seconds=0.1 * slower)], 80, 120)
    fast, slow = shares(done, 2)
    assert slow / fast == pytest.approx(1 / slower, rel=0.15)


def test_a_dead_backend_gets_its_probes_only_and_its_share_when_it_is_back() -> None:
    death, birth = 10.0, 40.0
    done = run([Server(), Server(dead=(death, birth))], 40, 100)
    failed = [entry for entry in done if not entry.ok]
    early = [entry for entry in failed if entry.at < death + 0.2]
    assert len(failed) - len(early) <= (birth - death) / 2.5 + 4
    assert len(early) <= 40
    back = next(entry.at for entry in done if entry.server == 1 and entry.ok and entry.at > birth)
    assert back <= birth + 5.5
    for second in range(1, int(WARM_SECONDS), 2):
        now = [entry for entry in done if back + second <= entry.at < back + second + 1]
        part = sum(entry.server for entry in now) / len(now)
        assert part <= (second + 1) / WARM_SECONDS + 0.05
    late = [entry for entry in done if entry.at > back + WARM_SECONDS + 2]
    assert shares(late, 2)[1] == pytest.approx(0.5, rel=0.1)


def test_an_ejected_backend_gets_nothing_while_another_answers() -> None:
    assert shares(run([Server(), Server(ejected=True)], 20, 10), 2) == [1.0, 0.0]
    both = shares(run([Server(ejected=True), Server(ejected=True)], 20, 30), 2)
    assert both == pytest.approx([0.5, 0.5], rel=0.1)


def test_the_better_of_two_keeps_work_more_even_than_chance() -> None:
    chance = Random(11)  # noqa: S311 - a simulation

    def worst(*, two: bool) -> int:
        work = [0] * 10
        for _ in range(1_000):
            candidates = [Candidate(outstanding=amount) for amount in work]
            index = choose(candidates if two else [Candidate()] * 10, chance.random(), chance.random(), 0.0)
            assert index is not None
            work[index] += 1
        return max(work) - min(work)

    assert worst(two=True) <= 8 < worst(two=False)


TABLE = [
    ([], None),
    ([Candidate(admits=False, reopens=2.0)], None),
    ([Candidate(admits=False), Candidate()], 1),
    ([Candidate(admits=False), Candidate(ejected=True)], 1),
    ([Candidate(ejected=True), Candidate()], 1),
    ([Candidate(factor=0.4), Candidate(outstanding=9)], 1),
    ([Candidate(factor=0.6), Candidate(outstanding=9)], 0),
    ([Candidate(factor=0.4, outstanding=9), Candidate(factor=0.4)], 1),
    ([Candidate(1, 10), Candidate(3, 29)], 1),
    ([Candidate(1, 10), Candidate(3, 31)], 0),
]


@pytest.mark.parametrize(("candidates", "expected"), TABLE)
def test_a_choice(candidates: list[Candidate], expected: int | None) -> None:
    for first in (0.0, 0.99):
        assert choose(candidates, first, 0.0, 0.5) == expected


def test_idle_backends_are_drawn_by_weight() -> None:
    candidates = [Candidate(1.0), Candidate(3.0)]
    drawn = [choose(candidates, number / 100, 0.5, 0.0) for number in range(100)]
    assert drawn.count(0) == 25


def test_the_first_that_may_admit_is_waited_for() -> None:
    assert reopens([Candidate(reopens=2.0), Candidate(reopens=0.5)]) == 0.5
    assert reopens([]) == float("inf")


candidate = st.builds(
    Candidate,
    weight=st.floats(0.01, 1_000),
    outstanding=st.integers(0, 10**6),
    factor=st.floats(0.1, 1),
    admits=st.booleans(),
    ejected=st.booleans(),
)
chances = st.floats(0, 1, exclude_max=True)


@settings(deadline=None)
@given(candidates=st.lists(candidate, max_size=6), first=chances, second=chances, warmth=chances)
def test_whoever_may_answer_is_found_and_nobody_else(
    candidates: list[Candidate], first: float, second: float, warmth: float
) -> None:
    index = choose(candidates, first, second, warmth)
    assert (index is None) is not any(entry.admits for entry in candidates)
    if index is not None:
        chosen = candidates[index]
        assert chosen.admits
        assert not chosen.ejected or all(entry.ejected for entry in candidates if entry.admits)
