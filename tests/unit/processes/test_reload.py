from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from gateway.config.parse import parse
from gateway.launch import News
from gateway.processes.reload import Reloader, Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.config.schema import Config

PATIENCE = 10.0
GOOD = "tenants: {a: {keys: [key-of-a1]}}\n"
OTHER = "tenants: {a: {keys: [key-of-a2]}}\n"


class Stage:
    """A reloader of a real file."""

    def __init__(self, path: Path) -> None:
        path.write_text(GOOD)
        self.path = path
        self.said: list[str] = []
        self.told: list[News] = []
        self.happened = asyncio.Event()
        self.loads = 0
        source = Source(path, self._load)
        self.reloader = Reloader(source, source.load(), self._publish, self.said.append)

    def _load(self) -> Config:
        self.loads += 1
        return parse(self.path.read_text(), "gateway.yaml", {})

    def _publish(self, news: News, config: Config) -> None:
        assert config is self.reloader.config
        self.told.append(news)
        self.happened.set()

    def keys(self) -> tuple[str, ...]:
        return self.reloader.config.tenants["a"].keys

    async def hears(self) -> News:
        """What is told next."""
        await asyncio.wait_for(self.happened.wait(), PATIENCE)
        self.happened.clear()
        return self.told[-1]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "gateway.yaml")


@pytest.fixture
async def watching(stage: Stage) -> AsyncIterator[Stage]:
    watch = asyncio.create_task(stage.reloader.watch())
    await asyncio.sleep(0)
    yield stage
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


def test_a_good_file_is_taken_up(stage: Stage) -> None:
    stage.path.write_text(OTHER)
    stage.reloader.reload()
    assert stage.keys() == ("key-of-a2",)
    assert stage.told == [News("applied", "", stage.reloader.config)]


def test_a_bad_file_keeps_the_old_one_and_is_said_once_until_it_is_good(stage: Stage) -> None:
    stage.path.write_text(GOOD + "sever: {}\n")
    for _ in range(3):
        stage.reloader.reload(asked=False)
    line = "gateway.yaml:2: sever: unknown section; did you mean `server`?"
    assert stage.told == [News("invalid", line)]
    assert stage.said == [f"the configuration stays as it was: {line}"]
    assert stage.keys() == ("key-of-a1",)
    stage.path.write_text(GOOD)
    stage.reloader.reload(asked=False)
    assert stage.told[-1] == News("applied", "", stage.reloader.config)


def test_a_file_that_is_gone_keeps_the_old_one(stage: Stage) -> None:
    stage.path.unlink()
    stage.reloader.reload()
    assert stage.told == [News("invalid", f"{stage.path}: cannot be read: No such file or directory")]


def test_what_needs_a_restart_is_refused_whole(stage: Stage) -> None:
    stage.path.write_text(OTHER + "server: {port: 1}\n")
    stage.reloader.reload()
    assert stage.told[0].outcome == "restart_needed"
    assert "server.port can't change while the gateway runs; restart it" in stage.told[0].stale
    assert stage.keys() == ("key-of-a1",)


def test_a_file_that_is_as_it_was_is_news_only_when_asked(stage: Stage) -> None:
    stage.reloader.reload(asked=False)
    assert stage.told == []
    stage.reloader.reload()
    assert [news.outcome for news in stage.told] == ["applied"]


def test_the_file_is_read_only_when_it_is_another(stage: Stage) -> None:
    loads = stage.loads
    stage.reloader.look()
    (stage.path.parent / "growing.log").write_text("a line")
    stage.reloader.look()
    assert stage.loads == loads
    stage.path.write_text(OTHER + "\n")
    stage.reloader.look()
    assert stage.keys() == ("key-of-a2",)
    stage.path.unlink()
    stage.reloader.look()
    assert stage.told[-1].outcome == "invalid"


async def test_sighup_reads_the_file_again(watching: Stage) -> None:
    signal.raise_signal(signal.SIGHUP)
    assert (await watching.hears()).outcome == "applied"


def test_news_survives_the_pipe() -> None:
    for news in (News("applied", "", parse(GOOD, "f", {})), News("invalid", "f:1: x")):
        line = news.to_json()
        assert "\n" not in line
        assert News.from_json(line) == news
        assert "key-of-a1" not in repr(news)
