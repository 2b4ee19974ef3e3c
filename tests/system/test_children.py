from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest
import pytest_asyncio
from fakes.jina_upstream import Fault
from fakes.running_gateway import PATIENCE, launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

KNOWN = "A text that is stored before anything dies."


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole() -> AsyncIterator[Gateway]:
    """A gateway with both embedded children, for this module alone: it gets hurt."""
    pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")
    async with launched() as gateway:
        yield gateway


async def replaced(gateway: Gateway, child: str, before: int) -> None:
    """The log says who died of what and who serves again."""

    async def told() -> bool:
        return f"{child} serves again" in gateway.logged().partition(f"{child} (pid {before}) ended with signal 9")[2]

    await until(told)
    assert gateway.pid(child) != before


async def test_without_its_store_it_goes_on_and_then_answers_from_the_same_cache(whole: Gateway) -> None:
    first = await whole.embed(KNOWN)
    assert first.status == 200
    await whole.on_disk()
    store = whole.pid("store")
    with whole.paused(whole.process.pid):
        os.kill(store, signal.SIGKILL)
        await until(lambda: dead(store))
        down = await whole.embed(KNOWN)
        assert (down.status, down.cached) == (200, (1, 0))
        assert (await whole.embed(f"{KNOWN}, but new")).status == 200
        assert (await whole.get("/ready")).failure == (503, "SERVICE_UNAVAILABLE")
        for path in ("/health", "/live", "/v1/models", "/metrics"):
            assert (await whole.get(path)).status == 200
    await replaced(whole, "store", store)
    await until(lambda: ready(whole))
    again = await whole.embed(KNOWN)
    assert (again.cached, again.json) == ((1, 0), first.json)  # the append-only file has it


async def test_a_store_that_hangs_is_a_store_that_is_down(whole: Gateway) -> None:
    with whole.paused(whole.pid("store")):
        assert (await whole.get("/ready")).failure == (503, "SERVICE_UNAVAILABLE")
        assert (await whole.embed(KNOWN)).status == 200
    await until(lambda: ready(whole))
    assert (await whole.embed(KNOWN)).status == 200


async def test_without_its_model_it_serves_what_is_stored_and_503_else(whole: Gateway) -> None:
    assert (await whole.embed(KNOWN)).status == 200
    model = whole.pid("model")
    with whole.paused(whole.process.pid):
        os.kill(model, signal.SIGKILL)
        await until(lambda: dead(model))
        down = await whole.embed([KNOWN, "A text that nobody has asked for."])
        assert down.failure == (503, "SERVICE_UNAVAILABLE")
        stored = await whole.embed(KNOWN)
        assert (stored.status, stored.cached) == (200, (1, 0))
    await replaced(whole, "model", model)
    await until(lambda: embedded(whole, "A text that nobody has asked for."))


async def test_a_request_that_comes_while_no_worker_lives_is_answered_by_the_next(whole: Gateway) -> None:
    worker = whole.pid("worker-0")
    with whole.paused(whole.process.pid):
        os.kill(worker, signal.SIGKILL)
        await until(lambda: dead(worker))
        reader, writer = await connection(whole)
        writer.write(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    await replaced(whole, "worker-0", worker)
    assert (await whole.embed(KNOWN)).cached == (1, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere children notice a little later")
async def test_no_child_outlives_a_killed_supervisor(launch: Callable[..., Awaitable[Gateway]]) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")
    gateway = await launch(workers=2)
    children = gateway.children()
    assert len(children) == 4
    gateway.process.kill()
    assert await asyncio.to_thread(gateway.process.wait, PATIENCE) == -signal.SIGKILL
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, PATIENCE)
    for process in alive:
        process.kill()
    assert not alive


async def test_sigterm_lets_a_running_request_finish(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str
) -> None:
    gateway = await launch(f"backends: {{jina: {{dialect: jina, url: {upstream_url}, key: '${{JINA_API_KEY}}'}}}}")
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    body = json.dumps({"model": "jina-embeddings-v3", "input": "until the end"})
    running, sender = await connection(gateway)
    sender.write(
        f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )

    async def begun() -> bool:
        return not upstream.faults

    await until(begun)
    idle, writer = await connection(gateway)
    writer.write(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
    await idle.readuntil(b"}")
    stopping = asyncio.create_task(gateway.stop())
    assert await asyncio.wait_for(idle.read(), PATIENCE) == b""  # a connection without a request is closed at once
    await asyncio.sleep(0.2)  # the request outlasts the signal: a worker that does not wait for it is gone by now
    assert not stopping.done()
    gate.set()
    answer = await asyncio.wait_for(running.read(), PATIENCE)  # up to the end of the connection
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"}")
    await stopping
    for end in (writer, sender):
        end.close()
    assert "SIGTERM: stopping" in gateway.logged()


async def connection(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", urlsplit(gateway.url).port)


async def dead(pid: int) -> bool:
    """Ended, though its stopped parent has not asked after it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # asking first whether it exists would be too early to know
        return True


async def ready(gateway: Gateway) -> bool:
    return (await gateway.get("/ready")).status == 200


async def embedded(gateway: Gateway, text: str) -> bool:
    answer = await gateway.embed(text)
    assert answer.status in {200, 503}
    return answer.status == 200
