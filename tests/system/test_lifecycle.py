"""E: nothing is lost when workers are replaced, the configuration changes or the gateway stops, under load.

The callers keep their connections and never try again. Mutants seen: without `_last_calls` (app/leaving.py) the rolling
restart loses requests, and so does a supervisor that ends the old worker first.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from typing import TYPE_CHECKING

import pytest_asyncio
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import launched, until
from fakes.steady import Steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
OWN, FEW = "key-of-many", "key-of-few"
CONFIG = """
server: {{drain_notice: 0.5}}
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
limits: {{ip_failures_per_minute: null}}
tiers: {{wide: {{rpm: 10000000, tpm: 1000000000, concurrency: 10000}}, few: {{rpm: 1000}}}}
tenants: {{many: {{tier: wide, keys: [key-of-many]}}, few: {{tier: few, keys: [key-of-few]}}}}
"""
SHARE = 0.7


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(upstream_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=upstream_url, key=KEY), workers=2, key=OWN) as gateway:
        yield gateway


def texts() -> Iterator[str]:
    """One of ten is new."""
    for number in itertools.count():
        yield f"new {number}" if number % 10 == 0 else f"known {number % 7}"


async def under_load(gateway: Gateway, happens: Callable[[], Awaitable[None]]) -> Steady:
    """Seven tenths of what the gateway can do, while something happens."""
    callers = Steady(gateway.url, OWN, texts())
    rate = SHARE * await callers.maximum(0.7)
    over = asyncio.ensure_future(happens())
    await callers.run(rate, over.done)
    await over
    return callers


async def test_workers_are_replaced_and_no_request_is_lost(pair: Gateway, upstream: Upstream) -> None:
    del upstream
    before = [pair.pid(f"worker-{at}") for at in range(2)]

    async def happens() -> None:
        os.kill(pair.process.pid, signal.SIGUSR2)

        async def said() -> bool:
            return "gateway: all workers are replaced\n" in pair.logged()

        await until(said)

    result = (await under_load(pair, happens)).result
    assert (result.lost, result.refused, set(result.statuses)) == ([], 0, {200})
    assert result.statuses[200] > 200
    assert not {pair.pid(f"worker-{at}") for at in range(2)} & set(before)
    assert len([child for child in pair.children() if child.pid in before]) == 0


def changed(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


async def test_a_changed_configuration_is_in_force_and_no_request_is_lost(pair: Gateway, upstream: Upstream) -> None:
    del upstream
    path: Path = pair.data_dir.parent / "config.yaml"

    async def limited() -> bool:
        answers = await asyncio.gather(*(pair.embed("known 1", FEW, MODEL) for _ in range(8)))
        return {answer.status for answer in answers} == {429}

    async def happens() -> None:
        assert not await limited()
        changed(path, "few: {rpm: 1000}", "few: {rpm: 1}")
        await until(limited)
        changed(path, "few: {rpm: 1}", "few: {rpm: 100000}")
        os.kill(pair.process.pid, signal.SIGHUP)

        async def free() -> bool:
            return (await pair.embed("known 1", FEW, MODEL)).status == 200

        await until(free)

    result = (await under_load(pair, happens)).result
    assert (result.lost, result.refused, set(result.statuses)) == ([], 0, {200})


async def test_a_stop_answers_what_was_begun_and_keeps_the_books(
    upstream: Upstream, upstream_url: str, tmp_path: Path
) -> None:
    config = CONFIG.format(url=upstream_url, key=KEY)
    async with launched(config, data=tmp_path / "data", workers=2, key=OWN) as gateway:
        gate = asyncio.Event()
        upstream.faults.append(Fault(gate=gate))
        begun = asyncio.ensure_future(gateway.embed("begun before the end", model=MODEL))
        await until(lambda: _all(not upstream.faults))
        callers = Steady(gateway.url, OWN, texts())
        leaving = asyncio.Event()
        calling = asyncio.ensure_future(callers.run(100, leaving.is_set))
        await until(lambda: _all(callers.result.statuses[200] > 20))
        gateway.process.terminate()

        async def unready() -> bool:
            return (await gateway.get("/ready")).status == 503

        await until(unready)
        leaving.set()  # a balancer that sees it sends nothing more
        told = await gateway.embed("known 1", model=MODEL)
        assert (told.status, told.headers["Connection"]) == (200, "close")
        gate.set()
        assert (await begun).status == 200
        result = await calling
    assert (result.lost, result.refused, set(result.statuses)) == ([], 0, {200})
    async with launched(config, data=tmp_path / "data", key=OWN) as again:
        usage = (await again.get("/v1/usage", Authorization=f"Bearer {OWN}")).json
    assert usage["totals"]["requests"] == result.statuses[200] + 2


async def _all(holds: bool) -> bool:  # noqa: FBT001 - the answer of a check
    return holds
