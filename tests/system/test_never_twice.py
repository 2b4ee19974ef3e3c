"""Equal calls at once, over four worker processes, reach the upstream once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psutil
    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Answer, Gateway

TENANT_KEY = "jina_" + "t" * 60
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", timeout: 60}}}}
tiers: {{open: {{}}}}
tenants: {{t: {{tier: open, keys: ["{tenant}"]}}}}
cache: {{claim_seconds: {claim}}}
store: {{timeout: 10}}
"""
MODEL = "jina-embeddings-v3"
TOGETHER, MORE = 1_000, 50
LONG_SECONDS = 300


@asynccontextmanager
async def claiming(upstream_url: str, workers: int, claim_seconds: int) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream_url, key=KEY, tenant=TENANT_KEY, claim=claim_seconds)
    async with launched(config, workers=workers, key=TENANT_KEY) as gateway:
        yield gateway


def workers(gateway: Gateway) -> list[psutil.Process]:
    return [child for child in gateway.children() if "gateway.processes.worker" in child.cmdline()]


async def test_a_thousand_equal_calls_at_once_are_one_upstream_call(upstream_url: str, upstream: Upstream) -> None:
    """A claim outlasts whatever a busy machine keeps its worker from; the workers share one listening socket, so which
    of them accept how many is the system's choice: there are more calls until each has some."""
    gate = asyncio.Event()
    running: list[asyncio.Task[Answer]] = []
    upstream.faults.append(Fault(gate=gate))
    async with claiming(upstream_url, 4, LONG_SECONDS) as four:

        def call(times: int) -> None:
            running.extend(asyncio.create_task(four.embed(["the same", "for all"], model=MODEL)) for _ in range(times))

        async def all_have_some() -> bool:
            if await asyncio.to_thread(_held_by_the_idlest, four):
                return True
            call(MORE)
            return False

        call(TOGETHER)
        await _called(upstream)
        await until(all_have_some, 0.1)
        gate.set()
        answers = await asyncio.gather(*running)
    assert len(answers) >= TOGETHER
    assert [call["input"] for call in upstream.calls if "the same" in call["input"]] == [["the same", "for all"]]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


async def test_a_filler_that_is_killed_is_taken_over(upstream_url: str, upstream: Upstream) -> None:
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    async with claiming(upstream_url, 3, 1) as three:
        running = [asyncio.create_task(_or_none(three, ["whose filler dies"])) for _ in range(100)]
        await _called(upstream)
        filler = _who_calls(three, upstream.caller)
        os.kill(filler, signal.SIGKILL)
        gate.set()
        answers = await asyncio.gather(*running)
    asked = [call for call in upstream.calls if call["input"] == ["whose filler dies"]]
    assert len(asked) <= 2
    served = [answer for answer in answers if answer is not None]
    assert served, "the other workers answer"
    assert {answer.status for answer in served} == {200}


def _held_by_the_idlest(gateway: Gateway) -> int:
    """Connections of the worker that has fewest; claims between workers decide where all have one that waits."""
    port = urlsplit(gateway.url).port
    return min(
        sum(entry.laddr.port == port and entry.status == "ESTABLISHED" for entry in worker.net_connections("tcp"))
        for worker in workers(gateway)
    )


async def _called(upstream: Upstream) -> None:
    """Wait until the call that is held back has come."""

    async def check() -> bool:
        return not upstream.faults

    await until(check)


def _who_calls(gateway: Gateway, port: int) -> int:
    """The worker that has the connection from `port`."""
    for worker in workers(gateway):
        if port in {entry.laddr.port for entry in worker.net_connections("tcp")}:
            return worker.pid
    raise AssertionError("nobody calls")


async def _or_none(gateway: Gateway, texts: list[str]) -> Answer | None:
    """The answer, None when the worker that had the connection died."""
    try:
        return await gateway.embed(texts, model=MODEL)
    except aiohttp.ClientError:
        return None
