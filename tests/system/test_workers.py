from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import launched, until

from gateway.processes.processors import default_workers
from gateway.stores.redis.client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
BURST, FEW = "key-of-burst", "key-of-few"
CONFIG = """
store: {{{store}}}
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tiers: {{ten: {{rpm: 10}}, four: {{rpm: 4}}}}
tenants:
  burst: {{tier: ten, keys: [key-of-burst]}}
  few: {{tier: four, keys: [key-of-few]}}
  wide: {{tier: tier2, keys: [key-of-wide]}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(upstream_url: str) -> AsyncIterator[Gateway]:
    """Two workers of one gateway."""
    config = CONFIG.format(store="", url=upstream_url, key=KEY)
    async with launched(config, workers=2, key="key-of-wide") as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(upstream_url: str, valkey_url: str) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two gateways on one store that neither of them started."""
    client = connect(valkey_url, 5.0)
    await client.flushall()
    await client.aclose()
    config = CONFIG.format(store=f"url: '{valkey_url}'", url=upstream_url, key=KEY)
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(launched(config, key="key-of-wide")) for _ in range(2)]
        yield one, other


@contextmanager
def only(gateway: Gateway, worker: int) -> Iterator[None]:
    """The other of two workers stands still, so this one answers."""
    with gateway.paused(gateway.pid(f"worker-{1 - worker}")):
        yield


async def statuses(gateways: list[Gateway], text: str) -> Counter[int]:
    answers = await asyncio.gather(*(gateway.embed(text, BURST, MODEL) for gateway in gateways))
    return Counter(answer.status for answer in answers)


async def test_a_burst_over_two_workers_gets_exactly_its_limit(pair: Gateway, upstream: Upstream) -> None:
    assert await statuses([pair] * 25, "burst") == {200: 10, 429: 15}
    del upstream


async def test_a_burst_over_two_gateways_gets_exactly_its_limit(
    two: tuple[Gateway, Gateway], upstream: Upstream
) -> None:
    assert await statuses([*two] * 12, "burst") == {200: 10, 429: 14}
    del upstream


async def test_two_workers_share_one_limit_and_one_cache(pair: Gateway, upstream: Upstream) -> None:
    left = []  # as the worker knows that is asked: of what the other has used the last fifth of a second may be missing
    for turn in range(4):
        with only(pair, turn % 2):
            answer = await pair.embed("shared by workers", FEW, MODEL)
            assert answer.status == 200
            assert answer.cached == ((1, 0) if turn else (0, 1))
            left.append(int(answer.headers["X-RateLimit-Remaining-Requests"]))
    assert left[0] == 3
    assert all(known >= true for known, true in zip(left, [3, 2, 1, 0], strict=True))
    for worker in range(2):
        with only(pair, worker):
            refused = await pair.embed("shared by workers", FEW, MODEL)
            assert refused.failure == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    assert len(upstream.calls) == 1


async def test_two_gateways_share_one_limit_and_one_cache(two: tuple[Gateway, Gateway], upstream: Upstream) -> None:
    left = []  # as the worker knows that is asked: of what the other has used the last fifth of a second may be missing
    for turn in range(4):
        answer = await two[turn % 2].embed("shared by gateways", FEW, MODEL)
        assert answer.cached == ((1, 0) if turn else (0, 1))
        left.append(int(answer.headers["X-RateLimit-Remaining-Requests"]))
    # What the other one just used may be a fifth of a second away.
    assert all(truth <= said <= truth + 1 for truth, said in zip((3, 2, 1, 0), left, strict=True))
    for gateway in two:
        assert (await gateway.embed("x", FEW, MODEL)).failure == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    assert len(upstream.calls) == 1


async def test_a_gateway_with_a_store_of_others_starts_none(two: tuple[Gateway, Gateway]) -> None:
    for gateway in two:
        assert {file.stem for file in (gateway.data_dir / "run").glob("*.pid")} == {"worker-0"}


@pytest.mark.parametrize("scraped", [0, 1])
async def test_one_scrape_counts_what_all_workers_did(pair: Gateway, upstream: Upstream, scraped: int) -> None:
    del upstream
    before = await counted(pair)
    for worker in range(2):
        with only(pair, worker):
            for number in range(3):
                assert (await pair.embed(f"counted {worker} {number}", model=MODEL)).status == 200
    await asyncio.gather(*(pair.embed("counted at once", model=MODEL) for _ in range(20)))

    async def written() -> bool:
        return await counted(pair) - before == 26

    await until(written)  # each worker writes what it counted a little later
    with only(pair, scraped):
        assert await written()


async def counted(gateway: Gateway) -> int:
    answer = await gateway.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    wanted = 'gateway_requests_total{code="OK",endpoint="embeddings",status="200"}'
    lines = [line for line in answer.body.decode().splitlines() if line.startswith(wanted)]
    assert len(lines) <= 1
    return int(float(lines[0].split()[1])) if lines else 0


async def test_a_killed_worker_is_replaced_and_not_missed_among_the_living(pair: Gateway) -> None:
    store = connect(f"unix://{pair.data_dir}/run/store.sock", 5.0)

    async def living() -> set[bytes]:
        return set(await store.execute_command("ZRANGE", "gw:{workers}:live", 0, -1))  # type: ignore[no-untyped-call] # redis has no types here

    before, killed = await living(), pair.pid("worker-1")
    assert len(before) == 2
    os.kill(killed, signal.SIGKILL)

    async def replaced() -> bool:
        names = await living()
        return len(names) == 2 and len(names & before) == 1

    try:
        await until(replaced)
    finally:
        await store.aclose()
    name = (pair.data_dir / "run" / "worker-1.name").read_text()
    assert name.encode() not in before


async def test_gauges_are_those_of_the_living_and_counters_of_all_there_were(pair: Gateway) -> None:
    async def shown() -> dict[str, float]:
        text = (await pair.get("/metrics")).body.decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines if "_bucket" not in name}

    async def both() -> bool:
        return (await shown()).get("gateway_memory_limit_bytes") == 2 * 16 * 2**20

    await until(both)
    before = await shown()
    assert before["gateway_store_up"] == 1
    assert before["gateway_resident_bytes"] > 2 * 50 * 2**20
    killed = pair.pid("worker-0")
    os.kill(killed, signal.SIGKILL)

    async def replaced() -> bool:
        return pair.pid("worker-0") != killed and await both()

    await until(replaced)
    after = await shown()
    assert after["gateway_cpu_seconds_total"] > before["gateway_cpu_seconds_total"]
    assert after["gateway_tasks"] < 2 * before["gateway_tasks"]


async def test_a_gateway_that_names_no_number_has_a_worker_a_processor(upstream_url: str) -> None:
    config = CONFIG.format(store="", url=upstream_url, key=KEY)
    async with launched(config, workers=None, key="key-of-wide") as gateway:
        running = sorted(path.stem for path in (gateway.data_dir / "run").glob("worker-*.pid"))
    assert running == [f"worker-{number}" for number in range(default_workers())]
