"""E: the configuration changes while two workers serve."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
limits: {{ip_failures_per_minute: null}}
tenants: {{search: {{tier: tier1, keys: [key-of-the-file]}}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(upstream_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=upstream_url, key=KEY), workers=2, key="key-of-the-file") as gateway:
        yield gateway


@pytest.fixture
def text(upstream: Upstream, upstream_url: str) -> str:
    """What the file says at first."""
    del upstream
    return CONFIG.format(url=upstream_url, key=KEY)


@pytest.fixture
def path(pair: Gateway, text: str) -> Path:
    """The file, as it was at first."""
    found = pair.data_dir.parent / "config.yaml"
    found.unlink(missing_ok=True)
    found.write_text(text)
    return found


def changed(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def linked(path: Path, name: str, text: str) -> None:
    """`path` becomes, in one step, a link to a file of that name and text."""
    target, turned = path.with_name(name), path.with_name("turned.yaml")
    target.write_text(text)
    turned.symlink_to(target)
    turned.replace(path)


async def says_everywhere(gateway: Gateway, key: str, status: int) -> None:
    """Whichever worker answers, the key is good or is not."""

    async def so() -> bool:
        return {(await gateway.embed("a", key, MODEL)).status for _ in range(12)} == {status}

    await until(so)


async def stale(gateway: Gateway) -> str:
    return str((await gateway.get("/ready")).json["checks"].get("config", ""))


async def reloads(gateway: Gateway, outcome: str) -> int:
    metrics = (await gateway.get("/metrics")).body.decode()
    found = re.search(rf'^gateway_config_reloads_total{{outcome="{outcome}"}} ([0-9.]+)$', metrics, re.MULTILINE)
    return int(float(found[1])) if found else 0


async def counted(gateway: Gateway, outcome: str, least: int) -> None:
    """Wait until so many are written: each worker writes what it counted a little later."""

    async def written() -> bool:
        return await reloads(gateway, outcome) >= least

    await until(written)


async def test_a_changed_file_is_in_force_in_every_worker_and_in_those_to_come(pair: Gateway, path: Path) -> None:
    before = await reloads(pair, "applied")
    changed(path, "key-of-the-file", "key-of-the-file, key-to-come")
    await says_everywhere(pair, "key-to-come", 200)
    await counted(pair, "applied", before + 1)
    worker = pair.pid("worker-1")
    os.kill(worker, signal.SIGKILL)

    async def replaced() -> bool:
        return pair.pid("worker-1") != worker

    await until(replaced)
    with pair.paused(pair.pid("worker-0")):
        assert (await pair.embed("a", "key-to-come", MODEL)).status == 200


async def test_a_link_that_is_turned_counts(pair: Gateway, path: Path, text: str) -> None:
    for key in ("key-of-one", "key-of-two"):
        linked(path, f"{key}.yaml", text.replace("key-of-the-file", f"key-of-the-file, {key}"))
        await says_everywhere(pair, key, 200)
    await says_everywhere(pair, "key-of-one", 401)


async def test_a_bad_file_keeps_the_old_one_and_shows(pair: Gateway, path: Path) -> None:
    await says_everywhere(pair, "key-of-the-file", 200)
    before = await reloads(pair, "invalid")
    changed(path, "limits", "sever: {}\nlimits")
    line = f"{path}:3: sever: unknown section; did you mean `server`?"

    async def shown() -> bool:
        return {await stale(pair) for _ in range(8)} == {f"stale: {line}"}

    await until(shown)
    await counted(pair, "invalid", before + 1)
    assert await reloads(pair, "invalid") == before + 1
    assert f"the configuration stays as it was: {line}" in pair.logged()
    await says_everywhere(pair, "key-of-the-file", 200)
    changed(path, "sever: {}\n", "")

    async def good_again() -> bool:
        return {await stale(pair) for _ in range(8)} == {""}

    await until(good_again)


async def test_sighup_reads_the_file_again_and_what_needs_a_restart_is_refused(pair: Gateway, path: Path) -> None:
    changed(path, "[key-of-the-file]}}", "[key-refused]}}\nstore: {timeout: 9}")
    os.kill(pair.process.pid, signal.SIGHUP)

    async def shown() -> bool:
        return "store.timeout can't change while the gateway runs; restart it" in await stale(pair)

    await until(shown)
    await says_everywhere(pair, "key-of-the-file", 200)
    await says_everywhere(pair, "key-refused", 401)
