from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.processes.child import Program
from gateway.processes.keeper import Keeper
from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Clock:
    """Virtual: a sleep is recorded and moves the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def epoch(self) -> int:
        raise NotImplementedError

    def random(self) -> float:
        return 0.5

    def identifier(self) -> str:
        return "0" * 32

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class FakeChild:
    def __init__(self, pid: int, *, serves: bool = True) -> None:
        self.pid = pid
        self.serves = serves
        self.calls: list[str] = []
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def tell(self, line: bytes) -> None:
        self.calls.append(f"told {line.decode()}")

    def die(self, code: int) -> None:
        self._code.set_result(code)

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    async def ready(self) -> bool:
        for _ in range(3):
            await asyncio.sleep(0)
        return self.serves

    async def stop(self, *, replaced: bool = False) -> int:
        self.calls.append("make room" if replaced else "stop")
        return -15

    def kill(self) -> None:
        self.calls.append("kill")


class Stage:
    """A keeper with everything around it faked."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.children: list[FakeChild] = []
        self.started = asyncio.Event()
        self.failures: list[OSError] = []
        self.serves = True
        self.starting: Callable[[], None] = lambda: None
        self.pid_file = folder / "part.pid"
        self.keeper = Keeper(Program("part", ("x",), 1.0), self.pid_file, self.clock, self._start, self.said.append)

    async def _start(self, _: Program) -> FakeChild:
        if self.failures:
            raise self.failures.pop(0)
        self.starting()
        self.children.append(FakeChild(100 + len(self.children), serves=self.serves))
        self.started.set()
        return self.children[-1]

    async def dies(self, after: float, code: int) -> None:
        """The newest child ends after so many seconds; returns when its successor has started."""
        self.started.clear()
        self.clock.now += after
        self.children[-1].die(code)
        await asyncio.wait_for(self.started.wait(), 5)
        await asyncio.sleep(0)


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_dead_child_is_started_again_and_the_log_names_it(stage: Stage) -> None:
    await stage.keeper.start()
    assert stage.pid_file.read_text() == "100\n"
    await stage.dies(2.0, -9)
    assert stage.said[0] == "part (pid 100) ended with signal 9; starting it again in 0.1 s"
    assert stage.said[1] == "part serves again (pid 101)"
    assert stage.pid_file.read_text() == "101\n"
    await stage.keeper.stop()
    assert stage.children[-1].calls == ["stop"]
    assert not stage.pid_file.exists()


async def test_waits_grow_in_a_crash_loop_and_shrink_after_a_healthy_run(stage: Stage) -> None:
    await stage.keeper.start()
    for alive in (0.0, 0.0, 1.0, 10.0, 0.0):
        await stage.dies(alive, 1)
    assert stage.clock.slept == pytest.approx([0.1, 0.2, 0.4, 0.1, 0.2])
    await stage.keeper.stop()


async def test_a_child_that_never_serves_at_the_start_is_an_error(stage: Stage) -> None:
    stage.serves = False
    with pytest.raises(StartError, match="part ended before it served"):
        await stage.keeper.start()
    assert len(stage.children) == 1


async def test_a_program_that_cannot_run_is_an_error_at_the_start(stage: Stage) -> None:
    stage.failures = [FileNotFoundError(2, "No such file")]
    with pytest.raises(StartError, match="can't start part: No such file"):
        await stage.keeper.start()
    await stage.keeper.stop()


async def test_a_successor_that_cannot_run_is_tried_again_later_and_later(stage: Stage) -> None:
    await stage.keeper.start()
    stage.failures = [OSError(12, "out of memory"), OSError(12, "out of memory")]
    await stage.dies(0.0, 1)
    assert stage.clock.slept == pytest.approx([0.1, 0.2, 0.4])
    assert "can't start part: out of memory; trying again in 0.2 s" in stage.said
    await stage.keeper.stop()


async def test_news_is_told_once_and_successors_begin_with_it(stage: Stage) -> None:
    await stage.keeper.start()
    program = Program("part", ("x",), 1.0, stdin=b"news")
    stage.keeper.renew(program, b"news")
    await stage.dies(2.0, -9)
    assert [child.calls for child in stage.children] == [["told news"], []]
    assert stage.keeper.program is program
    await stage.keeper.stop()


async def test_news_that_comes_while_a_successor_starts_reaches_it(stage: Stage) -> None:
    await stage.keeper.start()
    stage.starting = lambda: stage.keeper.renew(Program("part", ("x",), 1.0), b"news")
    await stage.dies(2.0, -9)
    assert stage.children[1].calls == ["told news"]
    await stage.keeper.stop()


async def test_a_killed_keeper_starts_no_successor(stage: Stage) -> None:
    await stage.keeper.start()
    stage.keeper.kill()
    stage.children[0].die(-9)
    await stage.keeper.stop()
    assert stage.children[0].calls == ["kill", "stop"]
    assert len(stage.children) == 1
    assert stage.said == []


async def test_a_successor_that_serves_takes_the_place_and_is_kept_alive(stage: Stage) -> None:
    await stage.keeper.start()
    stage.starting = lambda: stage.said.append(f"before: {stage.children[0].calls}")
    assert await stage.keeper.replace()
    assert stage.said == ["before: []"]  # the old one serves until the new one does
    assert [child.calls for child in stage.children] == [["make room"], []]
    assert stage.pid_file.read_text() == "101\n"
    await stage.dies(2.0, -9)
    assert len(stage.children) == 3
    await stage.keeper.stop()
    assert stage.children[0].calls == ["make room"]


@pytest.mark.parametrize("failures", [[], [OSError(2, "gone")]])
async def test_a_successor_that_does_not_serve_leaves_the_old_one_in_its_place(
    stage: Stage, failures: list[OSError]
) -> None:
    await stage.keeper.start()
    stage.serves, stage.failures = False, failures
    assert not await stage.keeper.replace()
    assert stage.children[0].calls == []
    assert stage.pid_file.read_text() == "100\n"
    stage.serves = True
    stage.started.clear()
    stage.children[0].die(1)
    await asyncio.wait_for(stage.started.wait(), 5)
    await asyncio.sleep(0)
    assert stage.said[-1] == f"part serves again (pid {stage.children[-1].pid})"
    await stage.keeper.stop()


async def test_an_end_while_it_is_being_replaced_ends_both_and_brings_none_back(stage: Stage) -> None:
    await stage.keeper.start()
    ending: list[asyncio.Task[None]] = []
    stage.starting = lambda: ending.append(asyncio.create_task(stage.keeper.stop()))
    slow = asyncio.create_task(stage.keeper.replace())
    await stage.started.wait()
    assert not await slow
    await ending[0]
    assert [set(child.calls) for child in stage.children] == [{"stop"}, {"stop"}]
    await asyncio.sleep(0)
    assert len(stage.children) == 2
