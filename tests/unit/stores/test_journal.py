from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gateway.stores import segment
from gateway.stores.journal import FileJournal
from gateway.stores.segment import Segment, batches_of
from gateway.vocabulary import Account, Tally

if TYPE_CHECKING:
    from pathlib import Path

A = Account(480_000, "a", "k", "m", "embeddings")
ROUNDS = 8

WRITER = """
import os, struct, sys
from pathlib import Path
from gateway.stores.journal import FileJournal
from gateway.vocabulary import Account, Tally
journal = FileJournal(Path(sys.argv[1]), "dead", 1 << 16, 10_000)
for number in range(1, 10**9):
    account, tally = Account(480_000, "a", f"k{number % 7}", "m", "embeddings"), Tally(1, number, 1, 2, 3, 4)
    while not journal.append(account, tally):
        journal.cut()
        journal.extend()
    os.write(1, struct.pack("<Q", number))
"""


def found(journal: FileJournal) -> list[Any]:
    return asyncio.run(journal.orphans())


def folders(path: Path) -> list[str]:
    return [folder.name for folder in path.iterdir()]


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_killed_writer_loses_nothing_that_it_had_counted(tmp_path: Path, turn: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.read(8 * (1 + 2_500 * turn))
        writer.send_signal(signal.SIGKILL)
        told = 1 + 2_500 * turn + len(writer.stdout.read()) // 8
    heir = FileJournal(tmp_path, "heir")
    [orphan] = found(heir)
    tallies = [tally for batch in orphan.batches for tally in batch.tallies.values()]
    count = sum(tally.requests for tally in tallies)
    assert told <= count <= told + 1  # the one that was written and not told yet
    assert sum(tally.tokens for tally in tallies) == count * (count + 1) // 2
    assert sum(tally.saved_nanos for tally in tallies) == 4 * count
    assert [batch.sequence for batch in orphan.batches] == list(range(1, len(orphan.batches) + 1))


async def test_a_living_journal_is_nobodys_to_adopt(tmp_path: Path) -> None:
    one, other = FileJournal(tmp_path, "one"), FileJournal(tmp_path, "other")
    assert await one.orphans() == []
    await other.close()
    [orphan] = await one.orphans()
    assert await one.orphans() == []  # it is being adopted
    orphan.leave()
    [again] = await one.orphans()
    await again.drop()
    assert await one.orphans() == []
    assert folders(tmp_path) == ["one"]
    await one.close()


async def test_two_adopters_do_not_meet(tmp_path: Path) -> None:
    heirs = [FileJournal(tmp_path, f"heir{number}") for number in range(3)]
    dead = FileJournal(tmp_path, "dead")
    dead.append(A, Tally(1))
    await dead.close()
    adopted = await asyncio.gather(*(heir.orphans() for heir in heirs))
    assert sum(len(orphans) for orphans in adopted) == 1
    for orphans in adopted:
        for orphan in orphans:
            await orphan.drop()
    assert sum(len(orphans) for orphans in await asyncio.gather(*(heir.orphans() for heir in heirs))) == 0


@pytest.mark.parametrize("damage", range(1, 60, 7))
def test_an_entry_that_was_not_written_whole_is_left_out(tmp_path: Path, damage: int) -> None:
    path = tmp_path / "x.journal"
    written = Segment.create(path, 5, 4_096)
    for number in range(3):
        written.append(A, Tally(1, number))
        end = written._at
    written.close()
    content = bytearray(path.read_bytes())
    content[end - damage : end] = bytes(damage)
    path.write_bytes(content)
    [batch] = batches_of(path, "w")
    assert (batch.sequence, batch.tallies[A].requests) == (5, 2)


@pytest.mark.parametrize("content", [b"", bytes(16), bytes(4_096)])
def test_what_was_never_written_has_no_batches(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    assert batches_of(path, "w") == []


@pytest.mark.parametrize("content", [b"GWUSAGE2" + bytes(100), b"GWUSAGE1"])
def test_a_journal_of_another_version_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dead").mkdir()
    path = tmp_path / "dead" / "1.journal"
    path.write_bytes(content)
    heir = FileJournal(tmp_path, "heir")
    assert found(heir) == found(heir) == []
    assert path.read_bytes() == content


def test_a_full_disk_is_said_before_anything_is_written_to_a_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = FileJournal(tmp_path, "w", 4_096)

    def full(_descriptor: int, _size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segment, "_allocate", full)
    journal.append(A, Tally(1))
    journal.cut()
    assert not journal.extend()
    assert len(list((tmp_path / "w").glob("*.journal"))) == 1


def test_a_journal_takes_the_space_it_needs_at_once(tmp_path: Path) -> None:
    FileJournal(tmp_path, "w", 1 << 20)
    [path] = (tmp_path / "w").glob("*.journal")
    assert path.stat().st_blocks * 512 >= 1 << 20


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    FileJournal(tmp_path / "ledger", "w")
    for path in (tmp_path / "ledger").rglob("*"):
        assert not path.stat().st_mode & 0o077
