"""P: the written spec of gateway.dispatch.fair_queue, point by point, with a server that takes its time."""

from __future__ import annotations

from collections import Counter, deque
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.fair_queue import BULK_SHARE, FairQueue, Ticket
from gateway.vocabulary import Lane

NEVER = float("inf")
INTERACTIVE, BULK = Lane.INTERACTIVE, Lane.BULK


def ticket(tenant: str, tokens: int = 10, deadline: float = NEVER, weight: float = 1.0) -> Ticket:
    return Ticket(tenant, tokens, deadline, weight)


def bulk(tenant: str, tokens: int = 10) -> Ticket:
    return Ticket(tenant, tokens, NEVER, lane=BULK)


def served(queue: FairQueue, number: int, now: float = 0.0) -> list[Ticket]:
    return [found for _ in range(number) if (found := queue.pop(now)) is not None]


def tokens_by(tickets: list[Ticket]) -> Counter[str]:
    total: Counter[str] = Counter()
    for entry in tickets:
        total[entry.tenant] += entry.tokens
    return total


@pytest.mark.parametrize("sizes", [(10, 10), (10, 70), (500, 3)], ids=str)
def test_backlogged_tenants_are_served_tokens_by_their_weights(sizes: tuple[int, int]) -> None:
    queue = FairQueue()
    for _ in range(4_000):
        queue.add(ticket("light", sizes[0], weight=1.0))
        queue.add(ticket("heavy", sizes[1], weight=3.0))
    total: Counter[str] = Counter()
    while total["light"] + total["heavy"] < 2_000 * min(sizes):
        total += tokens_by(served(queue, 1))
    largest = max(sizes)
    assert total["heavy"] == pytest.approx(3 * total["light"], rel=0.1, abs=4 * largest)


@pytest.mark.parametrize("backlog", [2, 100, 10_000])
def test_a_single_call_waits_for_one_call_of_a_tenant_that_sends_much_more(backlog: int) -> None:
    queue = FairQueue()
    for _ in range(backlog):
        queue.add(ticket("flood", 1_000))
    served(queue, backlog // 2)
    queue.add(ticket("single", 1_000))
    assert "single" in [entry.tenant for entry in served(queue, 1)]


def test_whoever_was_idle_has_saved_up_nothing() -> None:
    queue = FairQueue()
    for _ in range(100):
        queue.add(ticket("early"))
    served(queue, 50)
    for _ in range(100):
        queue.add(ticket("late"))
    assert tokens_by(served(queue, 40)) == {"early": 200, "late": 200}


def test_whoever_comes_and_goes_is_not_ahead_of_who_stays() -> None:
    queue = FairQueue()
    for _ in range(100):
        queue.add(ticket("stays"))
    order = []
    for _ in range(10):
        queue.add(ticket("returns", 50))
        while (served_one := served(queue, 1)[0]).tenant == "stays":
            order.append(served_one)
        order += [served_one, *served(queue, 1)]
    assert tokens_by(order)["returns"] == pytest.approx(tokens_by(order)["stays"], abs=60)


def test_a_tenants_calls_keep_their_order_and_a_returned_one_is_next() -> None:
    queue = FairQueue()
    tickets = [ticket("a", tokens) for tokens in (3, 1, 2)]
    for entry in tickets:
        queue.add(entry)
    first = served(queue, 1)
    assert first == tickets[:1]
    queue.put_back(first[0])
    assert served(queue, 3) == tickets


def test_a_returned_call_has_cost_its_tenant_nothing() -> None:
    queue = FairQueue()
    for _ in range(50):
        queue.add(ticket("a"))
        queue.add(ticket("b"))
    for _ in range(30):
        again = served(queue, 1)[0]
        assert again.tenant == "a"
        queue.put_back(again)
    assert tokens_by(served(queue, 40)) == {"a": 200, "b": 200}


def test_interactive_goes_first_and_bulk_takes_what_is_left() -> None:
    queue = FairQueue()
    queue.add(bulk("b"))
    queue.add(ticket("a"))
    assert [entry.lane for entry in served(queue, 3)] == [INTERACTIVE, BULK]


@pytest.mark.parametrize("size", [1, 10, 400])
def test_bulk_has_its_share_and_no_more_while_interactive_never_ends(size: int) -> None:
    queue = FairQueue()
    for _ in range(10_000):
        queue.add(ticket("a", 10))
        queue.add(bulk("b", size))
    total = tokens_by(served(queue, 5_000))
    assert total["b"] / total.total() == pytest.approx(BULK_SHARE, abs=2 * size / total.total() + 0.001)


@pytest.mark.parametrize("lane", list(Lane))
def test_trying_again_and_again_changes_no_share(lane: Lane) -> None:
    queue = FairQueue()
    for _ in range(1_000):
        queue.add(ticket("a"))
        queue.add(bulk("b"))
    order: list[Ticket] = []
    while len(order) < 400:
        entry = served(queue, 1)[0]
        for _ in range(5 if entry.lane is lane else 0):
            queue.put_back(entry)
            assert queue.pop(0.0) is entry
        order.append(entry)
    assert tokens_by(order)["b"] == pytest.approx(4_000 * BULK_SHARE, abs=10)


def test_what_bulk_is_owed_ends_when_it_waits_for_nothing() -> None:
    queue = FairQueue()
    queue.add(bulk("b", 1_000))
    for _ in range(100):
        queue.add(ticket("a"))
    served(queue, 50)
    queue.withdraw(next(entry for entry in queue._lanes[BULK]._flows["b"].tickets))
    served(queue, 1)
    queue.add(bulk("b", 2))
    assert [entry.lane for entry in served(queue, 2)] == [INTERACTIVE] * 2


def test_nothing_is_served_at_its_deadline_and_each_is_told_once() -> None:
    queue = FairQueue()
    late, good = ticket("a", deadline=5.0), ticket("a", deadline=6.0)
    queue.add(late)
    queue.add(good)
    assert queue.next_deadline() == 5.0
    assert queue.pop(5.0) is good
    assert queue.expire(5.0) == [late]
    assert queue.expire(9.0) == []
    assert queue.next_deadline() == NEVER


def test_a_returned_call_still_expires() -> None:
    queue = FairQueue()
    entry = ticket("a", deadline=5.0)
    queue.add(entry)
    assert queue.pop(0.0) is entry
    assert queue.expire(6.0) == []
    queue.put_back(entry)
    assert queue.pop(6.0) is None
    assert queue.expire(6.0) == [entry]


def test_what_left_is_forgotten() -> None:
    queue = FairQueue()
    for _ in range(2_000):
        queue.add(ticket("stays", deadline=1e9))
    for number in range(3_000):
        entry = ticket(f"t{number}", deadline=1e6 + number)
        queue.add(entry)
        if number % 2:
            queue.withdraw(entry)
        else:
            assert len(served(queue, 2)) == 2
        queue.put_back(served(queue, 1)[0])
    lane = queue._lanes[INTERACTIVE]
    assert len(queue) == queue.length(INTERACTIVE) == 500
    assert len(queue._records) < 2_000
    assert len(lane._waiting) + len(lane._flows) + len(lane._idle) < 100


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "pop", "pop", "back", "withdraw", "wait"]),
        st.integers(0, 3),
        st.integers(0, 50),
        st.sampled_from(list(Lane)),
    ),
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(steps=steps)
def test_every_ticket_is_served_expires_or_is_withdrawn_once_and_in_its_tenants_order(
    steps: list[tuple[str, int, int, Lane]],
) -> None:
    queue, now, numbers = FairQueue(), 0.0, count()
    waiting: dict[tuple[Lane, str], deque[Ticket]] = {}
    popped: Ticket | None = None
    for what, who, amount, lane in steps:
        line = waiting.setdefault((lane, f"t{who}"), deque())
        if what == "add":
            entry = Ticket(f"t{who}", amount, now + 20 + amount, 1.0 + next(numbers) % 3, lane)
            queue.add(entry)
            line.append(entry)
        elif what == "pop":
            popped = queue.pop(now)
            if popped is None:
                assert not any(entry.deadline > now for entries in waiting.values() for entry in entries)
            else:
                entries = waiting[popped.lane, popped.tenant]
                alive = [entry for entry in entries if entry.deadline > now]
                assert popped is alive[0]
                assert popped.deadline > now
                entries.remove(popped)
        elif what == "back" and popped is not None:
            queue.put_back(popped)
            waiting[popped.lane, popped.tenant].appendleft(popped)
            popped = None
        elif what == "withdraw" and (alive := [entry for entry in line if entry.queued]):
            gone = alive[amount % len(alive)]
            queue.withdraw(gone)
            line.remove(gone)
        elif what == "wait":
            now += amount
            late = set(queue.expire(now))
            for entries in waiting.values():
                mine = [entry for entry in entries if entry.deadline <= now]
                assert late >= set(mine)
                late -= set(mine)
                for entry in mine:
                    entries.remove(entry)
            assert not late
        assert len(queue) == sum(entry.queued for entries in waiting.values() for entry in entries)
