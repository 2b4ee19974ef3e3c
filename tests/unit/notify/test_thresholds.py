"""C: who is told, how often, and when, on a virtual clock."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fakes.clock import FakeClock, settled
from fakes.ledger import FakeLedger
from fakes.notices import FakeNotices
from fakes.observer import FakeObserver

from gateway.authenticate import digest
from gateway.config.compile import compile_snapshot
from gateway.config.parse import parse
from gateway.notify.thresholds import Records, Thresholds
from gateway.vocabulary import Account, Batch, Tally

if TYPE_CHECKING:
    from gateway.ports import Unit

HOUR = 495_240  # 2026-07-01 00:00 UTC
TEXT = """
webhooks:
  - {url: "http://one/", secret: 0123456789abcdef01234567}
  - {url: "http://two/", secret: 0123456789abcdef01234567, events: [budget.spent, balance.spent]}
tenants:
  shop: {keys: [key-of-shop], budgets: [{usd: "1", per: month, soft: [0.8]}]}
  daily: {keys: [key-of-daily], budgets: [{usd: "1", per: day}]}
  blog: {keys: [key-of-blog], balance: {starting_tokens: 100, soft: [0.5]}}
  free: {keys: [key-of-free]}
"""


class Gateways:
    """A store and two workers of two gateways on it."""

    def __init__(self) -> None:
        self.clock = FakeClock(start=HOUR * 3_600.0 + 60)
        self.ledger = FakeLedger(self.clock.epoch)
        self.notices = FakeNotices(self.clock.monotonic)
        self.configure(TEXT)
        self.read: list[tuple[int, int]] = []
        self.observers = [FakeObserver(), FakeObserver()]
        self.workers = [self._worker(observer) for observer in self.observers]
        self._sequence = 0

    def configure(self, text: str) -> None:
        self.config = parse(text, "f", {})
        self.snapshot = compile_snapshot(self.config, secret=b"s" * 32, digest=digest)

    def _worker(self, observer: FakeObserver) -> Thresholds:
        records = Records(Reading(self.ledger, self.read), self.notices)
        return Thresholds(records, lambda: self.snapshot, self.clock, observer)

    async def spend(self, tenant: str, nanos: int, *, worker: int = 0, hours_ago: int = 0, tokens: int = 0) -> None:
        self._sequence += 1
        hour = self.clock.epoch() // 3_600 - hours_ago
        account = Account(hour, tenant, "k", "m", "embeddings")
        batch = Batch("w", self._sequence, {account: Tally(1, tokens, tokens, nanos)})
        await self.ledger.add(batch, 0)
        self.workers[worker].touched(batch)

    async def look(self) -> None:
        for worker in self.workers:
            await worker.look()

    def told(self) -> list[tuple[str, str, float]]:
        """Address, event and share of every notice so far, sorted."""
        names = {webhook.id: webhook.url[7:10] for webhook in self.config.webhooks}
        bodies: list[tuple[str, Any]] = [
            (names[notice.address], json.loads(notice.body)) for notice in self.notices.kept.values()
        ]
        return sorted((name, body["type"], body["data"]["share"]) for name, body in bodies)


class Reading(FakeLedger):
    """The same ledger; notes which hours are read."""

    def __init__(self, ledger: FakeLedger, read: list[tuple[int, int]]) -> None:
        super().__init__()
        self.inner = ledger
        self.read = read

    async def rows(self, tenant: str, since: int, until: int) -> list[tuple[Account, Tally]]:
        self.read.append((since, until))
        return await self.inner.rows(tenant, since, until)

    async def lifetime(self, tenant: str) -> Tally:
        return await self.inner.lifetime(tenant)

    async def topped_up(self, tenant: str, unit: Unit) -> int:
        return await self.inner.topped_up(tenant, unit)


NEARLY = 799_999_999


async def test_a_share_is_told_once_by_whichever_worker_comes_to_it() -> None:
    gateways = Gateways()
    await gateways.spend("shop", NEARLY)
    await gateways.look()
    assert gateways.told() == []
    await gateways.spend("shop", 1, worker=1)
    await gateways.spend("shop", 1)
    await gateways.look()
    assert gateways.told() == [("one", "budget.threshold", 0.8)]
    await gateways.spend("shop", 10**9)
    await gateways.spend("shop", 10**9, worker=1)
    await gateways.look()
    assert gateways.told() == [
        ("one", "budget.spent", 1.0),
        ("one", "budget.threshold", 0.8),
        ("two", "budget.spent", 1.0),
    ]
    seen = gateways.observers[0].thresholds + gateways.observers[1].thresholds
    assert sorted(seen) == [("shop", "month", "0.8"), ("shop", "month", "1")]


async def test_a_worker_that_died_before_it_looked_makes_it_late() -> None:
    gateways = Gateways()
    await gateways.spend("shop", NEARLY + 1)
    await gateways.spend("shop", 1, worker=1)
    await gateways.workers[1].look()
    assert gateways.told() == [("one", "budget.threshold", 0.8)]


async def test_a_new_period_and_a_raised_budget_are_told_again() -> None:
    gateways = Gateways()
    await gateways.spend("shop", 900_000_000)
    await gateways.look()
    gateways.configure(TEXT.replace('usd: "1", per: month', 'usd: "1.1", per: month'))
    await gateways.spend("shop", 1)
    await gateways.look()
    assert len(gateways.told()) == 2
    gateways.clock.now += 31 * 86_400
    await gateways.spend("shop", 1)
    await gateways.look()
    assert len(gateways.told()) == 2
    await gateways.spend("shop", 900_000_000)
    await gateways.look()
    assert gateways.told() == [("one", "budget.threshold", 0.8)] * 3


async def test_a_balance_counts_tokens_and_is_told_again_after_a_top_up() -> None:
    gateways = Gateways()
    await gateways.spend("blog", 10**12, tokens=49)
    await gateways.look()
    assert gateways.told() == []
    await gateways.spend("blog", 0, tokens=1)
    await gateways.look()
    assert gateways.told() == [("one", "balance.threshold", 0.5)]
    await gateways.ledger.top_up("blog", "tokens", 100)
    await gateways.spend("blog", 0, tokens=49)
    await gateways.look()
    assert len(gateways.told()) == 1
    await gateways.spend("blog", 0, tokens=1)
    await gateways.look()
    assert gateways.told() == [("one", "balance.threshold", 0.5)] * 2


async def test_nobody_is_told_about_tenants_without_a_limit() -> None:
    gateways = Gateways()
    await gateways.spend("free", 10**15, tokens=10**9)
    await gateways.spend("nobody", 10**15)
    await gateways.look()
    assert (gateways.told(), gateways.read) == ([], [])


async def test_without_addresses_it_is_counted_all_the_same() -> None:
    gateways = Gateways()
    gateways.configure("tenants:" + TEXT.partition("tenants:")[2])
    await gateways.spend("shop", NEARLY + 1)
    await gateways.look()
    assert gateways.notices.kept == {}
    assert gateways.observers[0].thresholds == [("shop", "month", "0.8")]


async def test_hours_that_ended_are_read_once_an_hour_and_again_when_something_late_comes() -> None:
    gateways = Gateways()
    gateways.clock.now += 10 * 3_600
    for _ in range(3):
        await gateways.spend("shop", 1)
        await gateways.look()
    open_hours, ended = (HOUR + 9, HOUR + 31 * 24), (HOUR, HOUR + 9)
    assert gateways.read == [ended, open_hours, open_hours, open_hours]
    await gateways.spend("shop", NEARLY, hours_ago=5)
    await gateways.look()
    assert gateways.read[4:] == [ended, open_hours]
    assert gateways.told() == [("one", "budget.threshold", 0.8)]


async def test_what_comes_late_counts_in_the_period_it_belongs_to() -> None:
    gateways = Gateways()
    gateways.clock.now += 12 * 3_600
    await gateways.spend("daily", 1)
    await gateways.spend("daily", 10**9, hours_ago=20)
    await gateways.look()
    assert gateways.told() == [("one", "budget.spent", 1.0), ("two", "budget.spent", 1.0)]
    assert {json.loads(n.body)["data"]["period_start"] for n in gateways.notices.kept.values()} == {
        "2026-06-30T00:00:00Z"
    }


async def test_while_the_store_is_away_nobody_is_forgotten() -> None:
    gateways = Gateways()
    task = asyncio.create_task(gateways.workers[0].run())
    await settled()
    await gateways.spend("shop", NEARLY + 1)
    await gateways.spend("blog", 0, tokens=50)
    gateways.notices.down = True
    await gateways.clock.advance(3.5)
    assert set(gateways.observers[0].store_failures) == {"notices"}
    assert len(gateways.observers[0].store_failures) == 3
    gateways.notices.down = False
    await gateways.clock.advance(1.0)
    assert gateways.told() == [("one", "balance.threshold", 0.5), ("one", "budget.threshold", 0.8)]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
