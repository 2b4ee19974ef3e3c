"""Equal calls at once, over four worker processes, reach the upstream once."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest_asyncio
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import psutil
    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Answer, Gateway

TENANT_KEY = "jina_" + "t" * 60
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", timeout: 60}}}}
tiers: {{open: {{}}}}
tenants: {{t: {{tier: open, keys: ["{tenant}"]}}}}
cache: {{claim_seconds: 1}}
store: {{timeout: 10}}
"""
MODEL = "jina-embeddings-v3"
TOGETHER = 1_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def four(upstream_url: str) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream_url, key=KEY, tenant=TENANT_KEY)
    async with launched(config, workers=4, key=TENANT_KEY) as gateway:
        yield gateway


def workers(gateway: Gateway) -> list[psutil.Process]:
    return [child for child in gateway.children() if "gateway.processes.worker" in child.cmdline()]


async def test_a_thousand_equal_calls_at_once_are_one_upstream_call(four: Gateway, upstream: Upstream) -> None:
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    running = [asyncio.create_task(four.embed(["the same", "for all"], model=MODEL)) for _ in range(TOGETHER)]
    await _called(upstream)
    await until(_everybody_has_some(four))
    gate.set()
    answers = await asyncio.gather(*running)
    assert [call["input"] for call in upstream.calls if "the same" in call["input"]] == [["the same", "for all"]]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


async def test_a_filler_that_is_killed_is_taken_over(four: Gateway, upstream: Upstream) -> None:
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    running = [asyncio.create_task(_or_none(four, ["whose filler dies"])) for _ in range(100)]
    await _called(upstream)
    filler = _who_calls(four, upstream.caller)
    os.kill(filler, signal.SIGKILL)
    gate.set()
    answers = await asyncio.gather(*running)
    asked = [call for call in upstream.calls if call["input"] == ["whose filler dies"]]
    assert len(asked) <= 2
    served = [answer for answer in answers if answer is not None]
    assert served, "the other workers answer"
    assert {answer.status for answer in served} == {200}


def _everybody_has_some(gateway: Gateway) -> Callable[[], Awaitable[bool]]:
    """Whether each worker holds connections of clients that wait, so that claims between workers decide."""
    port = urlsplit(gateway.url).port

    async def check() -> bool:
        held = [
            sum(entry.laddr.port == port and entry.status == "ESTABLISHED" for entry in worker.net_connections("tcp"))
            for worker in workers(gateway)
        ]
        return min(held) >= TOGETHER // 50

    return check


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
