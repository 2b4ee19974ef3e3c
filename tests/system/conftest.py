"""E: gateways that are shared by all system tests, in front of the real local model or of a scriptable upstream."""

from __future__ import annotations

import inspect
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web
from fakes.jina_upstream import KEY, Upstream
from fakes.running_gateway import Gateway, launched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SEARCH_KEY = "jina_" + "s" * 60
ENV = {"JINA_API_KEY": KEY, "SEARCH_KEY": SEARCH_KEY}

# The minimal real configuration of the documentation, with another address.
MINIMAL = """
backends: {{jina: {{dialect: jina, url: {url}, key: ${{JINA_API_KEY}}}}}}
tenants: {{search: {{tier: tier1, keys: [${{SEARCH_KEY}}]}}}}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them run on one event loop, so that they can share processes and the upstream."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def listening() -> AsyncIterator[tuple[Upstream, str]]:
    """The upstream and its address."""
    upstream = Upstream()
    runner = web.AppRunner(upstream.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield upstream, "http://127.0.0.1:{1}".format(*runner.addresses[0])
    await runner.cleanup()


@pytest.fixture
def upstream(listening: tuple[Upstream, str]) -> Any:
    """The upstream, which has forgotten the test before; every fault that was planned must happen."""
    fresh, _ = listening
    fresh.calls.clear()
    fresh.faults.clear()
    fresh.presented.clear()
    fresh.keys = {KEY}
    yield fresh
    assert not fresh.faults


@pytest.fixture(scope="session")
def upstream_url(listening: tuple[Upstream, str]) -> str:
    return listening[1]


@pytest_asyncio.fixture(loop_scope="session")
async def launch() -> AsyncIterator[Callable[..., Awaitable[Gateway]]]:
    """Starts gateways of the test's own; see `launched`."""
    async with AsyncExitStack() as stack:

        async def start(config: str = "", **options: Any) -> Gateway:
            options["env"] = ENV | options.get("env", {})
            return await stack.enter_async_context(launched(config, **options))

        yield start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local() -> AsyncIterator[Gateway]:
    """`gateway serve` as it comes, with the embedded model."""
    pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")
    async with launched() as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def remote(upstream_url: str) -> AsyncIterator[Gateway]:
    """The minimal real configuration in front of the scriptable upstream."""
    async with launched(MINIMAL.format(url=upstream_url), env=ENV, key=SEARCH_KEY) as gateway:
        yield gateway
