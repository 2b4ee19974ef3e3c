"""Where a job's lines come from, and which of them are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakes.batches import LEASE, Engine

from gateway.config.jobs import Jobs
from gateway.config.schema import Tier
from gateway.errors import AddressError
from gateway.jobs.prepare import PATIENCE
from gateway.ports.jobs import State, Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest


async def test_inputs_that_the_backend_refuses_are_named(make: Callable[..., Engine]) -> None:
    engine = make(Jobs(chunk=4, slots=1, lease_seconds=LEASE))
    engine.gateway.upstream.bad |= {"bad", "worse"}
    await engine.add("a", "bad", "b", "c", "bad", "worse")
    engine.begin()
    await engine.pass_time(20)
    assert (engine.ids("output"), engine.ids("errors")) == (["a", "b", "c"], ["bad", "bad", "worse"])
    assert engine.batch().tally == Tally(3, 3, 3)


async def test_an_input_by_url_is_read_once(make: Callable[..., Engine]) -> None:
    engine = make()
    url = "https://example.com/in.jsonl"
    engine.source.pages[url] = [b'{"custom_id": "a", "body": {"input": "a"}}', b"  ", b"", b"x" * 40_000_000, b"\xff"]
    await engine.add(input_url=url)
    engine.begin()
    await engine.pass_time(3)
    assert (engine.batch().total, engine.batch().tally) == (3, Tally(1, 2, 1))
    assert [line["line"] for line in engine.read("errors")] == [4, 5]


async def test_an_input_that_cannot_be_read_fails_the_job_after_a_while(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add(input_url="https://example.com/none")
    engine.begin()
    await engine.pass_time(PATIENCE - 20, 5)
    assert engine.batch().state is State.PROCESSING
    await engine.pass_time(60)
    assert (engine.batch().state, engine.batch().error) == (
        State.FAILED,
        "The input could not be read from its address",
    )


async def test_an_address_that_is_refused_fails_the_job(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make()

    async def lines(url: str) -> AsyncIterator[bytes]:
        if url:
            raise AddressError("leads to no public address")
        yield b""

    monkeypatch.setattr(engine.source, "lines", lines)
    await engine.add(input_url="https://example.com/none")
    engine.begin()
    await engine.pass_time(2)
    assert engine.batch().error == "The address of the input leads to no public address"


async def test_an_input_with_too_many_lines_fails_the_job(make: Callable[..., Engine]) -> None:
    engine = make(Jobs(max_inputs=2, slots=1, lease_seconds=LEASE))
    await engine.add("a", "b", "c")
    engine.begin()
    await engine.pass_time(2)
    assert engine.batch().error == "The input has more than 2 lines"
    await engine.add("a", "b", name="batch_2")
    await engine.add("!", name="batch_3")
    await engine.pass_time(2)
    assert engine.batch("batch_2").state is State.COMPLETED
    assert (engine.batch("batch_3").state, engine.batch("batch_3").error) == (State.FAILED, "The input has no lines")


async def test_an_input_that_is_gone_fails_the_job(make: Callable[..., Engine]) -> None:
    engine = make(tiers={"small": Tier(rpm=1, tpm=1_000, concurrency=9)})
    await engine.add("a", "b", "c", "d")
    engine.begin()
    await engine.pass_time(2)
    engine.files.kept = {}
    await engine.pass_time(80)
    assert engine.batch().error == "The job's input is gone"
