from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock, settled
from fakes.journal import FakeJournal, FakeOrphan
from fakes.ledger import FakeLedger
from fakes.observer import FakeObserver

from gateway.errors import StoreError
from gateway.settle.ledger import MOST_ROWS, SURE_SECONDS, Books
from gateway.vocabulary import Account, Batch, Facts, Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOUR = 1_000


class Desk:
    """Books, and everything around them."""

    def __init__(self, room: int = 1_000, segments: int = 4) -> None:
        self.clock = FakeClock(start=HOUR * 3_600.0)
        self.ledger = FakeLedger(self.clock.epoch)
        self.journal = FakeJournal(room=room, segments=segments)
        self.observer = FakeObserver()
        self.books = Books(self.journal, self.ledger, self.clock, self.observer)

    def answered(self, times: int = 1, key: str = "k") -> None:
        for _ in range(times):
            facts = Facts("embeddings", "r", "m", "a", key_id=key, reported_tokens=10, paid_tokens=4, nanos=80)
            facts.saved_tokens, facts.saved_nanos = 6, 120
            self.books.add(facts)

    def counted(self) -> int:
        return sum(tally.requests for tally in self.ledger.sums.values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.books.run())
        await settled()
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_was_answered_is_in_the_ledger_a_second_later() -> None:
    desk = Desk()
    async with desk.running():
        desk.answered(2)
        await desk.clock.advance(1.0)
    assert desk.ledger.sums == {Account(HOUR, "a", "k", "m", "embeddings"): Tally(2, 20, 8, 160, 12, 240)}


async def test_a_report_has_what_is_not_told_yet_and_once() -> None:
    desk = Desk()
    for _ in range(3):
        desk.answered(2)
        assert await asked(desk) == desk.counted() + 2
        await desk.books.flush()
        assert await asked(desk) == desk.counted()
    desk.ledger.away = True
    desk.answered(1)
    with pytest.raises(StoreError):
        await desk.books.flush()
    desk.answered(1)
    desk.ledger.away = False
    assert await asked(desk) == 8
    assert await desk.books.rows("another", 0, HOUR + 1) == await desk.books.rows("a", 0, HOUR) == []


async def asked(desk: Desk) -> int:
    return sum(tally.requests for _, tally in await desk.books.rows("a", 0, HOUR + 1))


async def test_nothing_to_tell_is_not_told() -> None:
    desk = Desk()
    async with desk.running():
        await desk.clock.advance(10.0)
    assert desk.ledger.calls == []


async def test_an_hour_ends_when_it_ends() -> None:
    desk = Desk()
    desk.answered()
    desk.clock.now += 3_600
    desk.answered()
    await desk.books.flush()
    assert {account.hour for account in desk.ledger.sums} == {HOUR, HOUR + 1}


async def test_a_store_that_is_away_gets_everything_once_when_it_is_back() -> None:
    desk = Desk()
    async with desk.running():
        desk.answered()
        await desk.clock.advance(1.0)
        desk.ledger.away = True
        for _ in range(5):
            desk.answered()
            await desk.clock.advance(1.0)
        assert desk.counted() == 1
        assert set(desk.observer.store_failures) == {"ledger"}
        desk.ledger.away = False
        await desk.clock.advance(1.0)
        assert desk.counted() == 6
        assert len({batch.sequence for batch, _ in desk.ledger.calls}) == 3  # what waits goes out together


async def test_what_a_restarted_store_has_lost_is_told_again_though_nobody_calls() -> None:
    desk = Desk()
    async with desk.running():
        desk.answered(3)
        await desk.clock.advance(1.0)
        desk.answered(2)
        await desk.clock.advance(1.0)
        desk.ledger.forget()
        await desk.clock.advance(SURE_SECONDS)
        assert desk.counted() == 5
        assert desk.journal.released == 0
        await desk.clock.advance(SURE_SECONDS + 2)
        assert desk.counted() == 5
        assert desk.journal.released == 2


async def test_the_journal_keeps_what_is_not_sure() -> None:
    desk = Desk()
    async with desk.running():
        desk.answered()
        await desk.clock.advance(1.0)
        assert desk.journal.released == 0
        await desk.clock.advance(SURE_SECONDS + 1)
        assert desk.journal.released == 1
    assert [settled for _, settled in desk.ledger.calls] == [0, 0]


async def test_a_full_segment_is_ended_and_the_next_begun() -> None:
    desk = Desk(room=10, segments=4)
    desk.answered(25)
    await desk.books.flush()
    assert desk.counted() == 25
    assert desk.observer.unjournaled_rows == 0
    assert [sum(t.requests for t in batch.tallies.values()) for batch in desk.journal.cuts] == [10, 10, 5]


async def test_a_full_journal_is_counted_and_blocks_nobody() -> None:
    desk = Desk(room=10, segments=2)
    desk.ledger.away = True
    async with desk.running():
        desk.answered(25)
        assert desk.observer.unjournaled_rows == 5
        await desk.clock.advance(2.0)
        desk.answered(1)
        assert desk.observer.unjournaled_rows == 6
        desk.ledger.away = False
        await desk.clock.advance(SURE_SECONDS + 3)
        assert desk.counted() == 26  # what was in memory alone is not lost, since nothing died
        desk.answered(1)
        assert desk.observer.unjournaled_rows == 6
        await desk.clock.advance(1.0)
    assert desk.counted() == 27


async def test_very_many_rows_are_more_than_one_batch() -> None:
    desk = Desk(room=10_000)
    for number in range(MOST_ROWS + 1):
        desk.answered(key=f"k{number}")
    await desk.books.flush()
    assert [len(batch.tallies) for batch, _ in desk.ledger.calls] == [MOST_ROWS, 1]


@pytest.mark.parametrize("told", [0, 1, 2])
async def test_an_orphan_counts_once_whatever_its_process_had_told(told: int) -> None:
    dead = Desk()
    for _ in range(2):
        dead.answered(3)
        with suppress(StoreError):
            dead.ledger.away = True
            await dead.books.flush()
    dead.answered(4)
    orphan = dead.journal.left()
    heir = Desk()
    heir.journal.writer = "heir"
    for batch in orphan.batches[:told]:
        await heir.ledger.add(batch, 0)
    heir.journal.dead = [orphan]
    async with heir.running():
        await heir.clock.advance(0.5)
        assert heir.counted() == 10
        assert not orphan.dropped
        await heir.clock.advance(SURE_SECONDS + 2)
    assert heir.counted() == 10
    assert orphan.dropped


async def test_an_orphan_is_kept_while_the_store_is_away_or_loses_it() -> None:
    desk = Desk()
    orphan = FakeOrphan([Batch("dead", 3, {Account(HOUR, "a", "k", "m", "e"): Tally(7)})])
    desk.journal.dead = [orphan]
    desk.ledger.away = True
    async with desk.running():
        await desk.clock.advance(20.0)
        desk.ledger.away = False
        await desk.clock.advance(2.0)
        assert desk.counted() == 7
        desk.ledger.forget()
        await desk.clock.advance(SURE_SECONDS)
        assert desk.counted() == 7
        assert not orphan.dropped
        await desk.clock.advance(SURE_SECONDS + 1)
    assert (orphan.dropped, desk.counted()) == (True, 7)


async def test_an_empty_orphan_is_dropped_at_once() -> None:
    desk = Desk()
    desk.journal.dead = [orphan := FakeOrphan([])]
    async with desk.running():
        pass
    assert orphan.dropped


@pytest.mark.parametrize(("away", "counted"), [(False, 9), (True, 8)])
async def test_closing_tells_what_it_can_and_leaves_the_rest(*, away: bool, counted: int) -> None:
    desk = Desk()
    desk.journal.dead = [orphan := FakeOrphan([Batch("dead", 1, {Account(HOUR, "a", "k", "m", "e"): Tally(7)})])]
    desk.answered()
    async with desk.running():
        desk.answered()
    desk.ledger.away = away
    await desk.books.close()
    assert desk.counted() == counted
    assert orphan.left
    assert desk.journal.closed


async def test_whoever_asked_is_told_each_batch_that_the_ledger_took() -> None:
    told: list[tuple[str, int]] = []
    desk = Desk()
    desk.books = Books(
        desk.journal,
        desk.ledger,
        desk.clock,
        desk.observer,
        lambda batch: told.append((batch.writer, batch.sequence)),
    )
    desk.journal.dead = [FakeOrphan([Batch("dead", 3, {Account(HOUR, "a", "k", "m", "e"): Tally(7)})])]
    desk.answered()
    desk.ledger.away = True
    async with desk.running():
        await desk.clock.advance(3.0)
        assert told == []
        desk.ledger.away = False
        await desk.clock.advance(1.0)
        assert sorted(told) == sorted([(desk.journal.writer, 1), ("dead", 3)])
        await desk.clock.advance(SURE_SECONDS + 1)
    assert sorted(told) == sorted([(desk.journal.writer, 1), ("dead", 3)] * 2)
