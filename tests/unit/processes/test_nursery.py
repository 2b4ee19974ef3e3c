from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from gateway.processes import zygote
from gateway.processes.child import Program, start
from gateway.processes.nursery import Nursery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.processes.child import Child

pytestmark = pytest.mark.skipif(not zygote.adopt_orphans(wanted=False), reason="children can't be handed over here")

WORKER = """
import json, os, sys
from gateway.processes import zygote
def load():
    import decimal
    if FAILS:
        raise SystemExit(4)
forked = sys.argv[1] == zygote.FLAG
arguments = zygote.serve(int(sys.argv[2]), int(sys.argv[3]), load) if forked else sys.argv[1:]
parent = os.getppid()
words = dict(zip(arguments[::2], arguments[1::2], strict=True))
first = sys.stdin.readline().strip()
told = {"forked": forked, "loaded": "decimal" in sys.modules, "first": first}
told |= {"group": os.getpgid(0), "parent": parent, "open": len(os.listdir("/proc/self/fd"))}
for name in ("--out-fd", "--other-fd"):
    if name in words:
        os.write(int(words[name]), json.dumps({"name": name, **told}).encode() + b"\\n")
if first == "end":
    raise SystemExit(3)
os.write(int(words["--ready-fd"]), b"1")
sys.stdin.read()
"""
COMMAND = (sys.executable, "-c", f"FAILS = False\n{WORKER}")
FAILING = (sys.executable, "-c", f"FAILS = True\n{WORKER}")
PATIENCE = 30.0


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with Nursery(COMMAND) as begun:
        yield begun


@pytest.fixture
def failing() -> Iterator[Nursery]:
    with Nursery(FAILING) as begun:
        yield begun


def worker(command: tuple[str, ...], line: str, **pipes: int) -> Program:
    words = [word for name, number in pipes.items() for word in (f"--{name}-fd", str(number))]
    return Program("part", (*command, *words), 10.0, stdin=f"{line}\n".encode(), pass_fds=tuple(pipes.values()))


async def told_by(nursery: Nursery, command: tuple[str, ...]) -> tuple[Child, dict[str, object]]:
    read, write = os.pipe()
    try:
        child = await start(worker(command, "hello", out=write), nursery.spawn)
        assert await child.ready()
        told: dict[str, object] = json.loads(os.read(read, 4096))
    finally:
        os.close(read)
        os.close(write)
    return child, told


async def test_a_worker_is_forked_where_all_is_loaded_and_is_the_supervisors_own_child(nursery: Nursery) -> None:
    child, told = await told_by(nursery, COMMAND)
    assert told == {
        "name": "--out-fd",
        "forked": True,
        "loaded": True,
        "first": "hello",
        "group": child.pid,
        "parent": os.getpid(),
        "open": len(("in", "out", "err", "out-fd", "ready-fd", "/proc/self/fd")),
    }
    assert await child.stop() == -15
    assert not psutil.pid_exists(child.pid)


async def test_the_exit_code_is_told_and_a_worker_that_ends_first_is_not_ready(nursery: Nursery) -> None:
    child = await start(worker(COMMAND, "end"), nursery.spawn)
    assert not await child.ready()
    assert await child.wait() == 3
    assert await child.stop() == 3
    child.tell(b"nobody reads this\n")


async def test_each_descriptor_is_found_under_its_number_also_where_that_was_anothers(nursery: Nursery) -> None:
    pipes = [os.pipe() for _ in range(4)]
    ends = [write for _, write in pipes]
    crossed = zip(ends, reversed(ends), strict=True)
    children = await asyncio.gather(
        *(start(worker(COMMAND, "hello", out=out, other=other), nursery.spawn) for out, other in crossed)
    )
    assert all([await child.ready() for child in children])
    for read, write in pipes:
        lines = [json.loads(line)["name"] for line in os.read(read, 4096).splitlines()]
        assert sorted(lines) == ["--other-fd", "--out-fd"]
        os.close(read)
        os.close(write)
    assert [await child.stop() for child in children] == [-15] * 4


def test_descriptors_keep_apart_where_the_next_free_numbers_are_the_ones_wanted() -> None:
    ends = [os.pipe() for _ in range(2)]
    free = [os.dup(0) for _ in range(2)]
    for number in free:
        os.close(number)
    zygote.place([write for _, write in ends], free[::-1])
    for (read, _), number in zip(ends, free[::-1], strict=True):
        os.write(number, str(number).encode())
        os.close(number)
        assert os.read(read, 32) == str(number).encode()
        os.close(read)


async def test_workers_outlive_the_nursery_and_later_ones_are_executed(nursery: Nursery) -> None:
    first, _ = await told_by(nursery, COMMAND)
    nursery.close()
    second, told = await told_by(nursery, COMMAND)
    assert told["forked"] is False
    assert psutil.Process(first.pid).status() != psutil.STATUS_ZOMBIE
    assert [await first.stop(), await second.stop()] == [-15, -15]


async def test_where_nothing_can_be_loaded_a_worker_is_executed_and_says_why_itself(failing: Nursery) -> None:
    child, told = await told_by(failing, FAILING)
    assert told["forked"] is False
    assert await child.stop() == -15


async def test_another_program_is_executed(nursery: Nursery) -> None:
    child, told = await told_by(nursery, FAILING)
    assert told["forked"] is False
    assert await child.stop() == -15


def test_the_zygote_ends_with_the_nursery() -> None:
    before = set(psutil.Process().children())
    with Nursery(COMMAND):
        (process,) = set(psutil.Process().children()) - before
    assert not process.is_running()
