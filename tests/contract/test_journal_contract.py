from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.journal import FakeJournal, FakeOrphan

from gateway.stores.journal import FileJournal
from gateway.vocabulary import Account, Tally

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ports import Journal, Orphan

A = Account(480_000, "tenant", "k1", "jina-ai/m:1", "embeddings")
B = A._replace(tenant="t\u00e9nant", endpoint="rerank")
ONE = Tally(1, 10, 4, 80, 6, 2**63)


class Place:
    """Where a journal is, and what becomes of it when its process ends."""

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.fake = FakeJournal("w1", room=15, segments=3)
        self.journal: Journal = self.fake if root is None else FileJournal(root, "w1", 2_048, 3)

    async def adopted(self) -> list[Orphan]:
        """What another process finds once this one has ended."""
        await self.journal.close()
        if self.root is None:
            return [self.fake.left()]
        heir = FileJournal(self.root, "w2")
        found = await heir.orphans()
        await heir.close()
        return list(found)


@pytest.fixture(params=["fake", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(None if request.param == "fake" else tmp_path / "ledger")


def fill(journal: Journal) -> int:
    """Entries until there is no more room."""
    count = 0
    while journal.append(A, ONE):
        count += 1
    return count


async def test_batches_are_found_as_they_were_cut(place: Place) -> None:
    journal = place.journal
    for account in (A, B, A):
        assert journal.append(account, ONE)
    assert journal.cut() == 1
    journal.append(B, ONE)
    assert journal.cut() == 2
    journal.append(A, ONE)
    [orphan] = await place.adopted()
    assert [(batch.writer, batch.sequence, batch.tallies) for batch in orphan.batches] == [
        ("w1", 1, {A: ONE.plus(ONE), B: ONE}),
        ("w1", 2, {B: ONE}),
        ("w1", 3, {A: ONE}),
    ]


async def test_a_full_segment_has_room_for_its_cut_and_the_next_goes_on(place: Place) -> None:
    journal, counts = place.journal, []
    for sequence in (1, 2, 3):
        counts.append(fill(journal))
        assert counts[-1] > 10
        assert journal.cut() == sequence
        assert journal.extend() == (sequence < 3)
    assert not journal.append(A, ONE)
    [orphan] = await place.adopted()
    assert [batch.sequence for batch in orphan.batches] == [1, 2, 3]
    assert [batch.tallies[A].requests for batch in orphan.batches] == counts


async def test_what_is_released_makes_room_and_is_not_found(place: Place) -> None:
    journal = place.journal
    for _ in range(2):
        fill(journal)
        journal.cut()
        journal.extend()
    fill(journal)
    journal.cut()
    assert not journal.extend()
    await journal.release(1)
    assert journal.extend()
    assert journal.append(B, ONE)
    [orphan] = await place.adopted()
    assert [batch.sequence for batch in orphan.batches] == [2, 3, 4]
    assert orphan.batches[-1].tallies == {B: ONE}


async def test_cuts_that_have_no_room_do_not_move_the_numbers(place: Place) -> None:
    journal = place.journal
    fill(journal)
    assert [journal.cut(), journal.cut(), journal.cut()] == [1, 2, 3]
    assert journal.extend()
    journal.append(B, ONE)
    [orphan] = await place.adopted()
    assert [(batch.sequence, len(batch.tallies)) for batch in orphan.batches] == [(1, 1), (4, 1)]


def test_the_fake_orphan_is_one() -> None:
    orphan: Orphan = FakeOrphan([])
    assert not orphan.batches
