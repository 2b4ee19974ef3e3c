"""E: the store that a configuration names, or the embedded one of a running gateway, for commands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import typer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.config.schema import Config, Store
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys
    from gateway.stores.redis.usage import RedisLedger

Result = TypeVar("Result")

FAILED = 1
PATIENCE = 10.0
"""Seconds a command to the store may take: a batch here is larger than a request's, and nobody waits for an answer."""


def settings(path: Path | None, data_dir: str | None) -> Config:
    """The configuration as `gateway serve` would read it; what is wrong with it is said, and the command ends."""
    from gateway.cli.load import load_config  # noqa: PLC0415 - no use to `gateway --help`
    from gateway.config.parse import override  # noqa: PLC0415 - as above
    from gateway.config.problem import ConfigError  # noqa: PLC0415 - as above

    try:
        return override(load_config(path).config, data_dir=data_dir)
    except ConfigError as error:
        typer.echo(str(error), err=True)
    except OSError as error:
        typer.echo(f"{error.filename}: cannot be read: {error.strerror}; check --config or $GATEWAY_CONFIG", err=True)
    raise typer.Exit(FAILED)


def on_store(config: Config, work: Callable[[Client, Keys], Awaitable[Result]]) -> Result:
    """What `work` gives, or the end of the command with a sentence when the store fails."""
    from gateway.errors import StoreError  # noqa: PLC0415 - as above

    url = config.store.url or f"unix://{quote(str(_socket(config)))}"
    try:
        return asyncio.run(_run(url, config.store, work))
    except StoreError as error:
        remedy = "check store.url" if config.store.url else "start the gateway, or name its --data-dir"
        typer.echo(f"gateway: the store at {_shown(config)} failed ({error}); {remedy}", err=True)
        raise typer.Exit(FAILED) from None


def ledger_on(client: Client, keys: Keys, retain_days: int) -> RedisLedger:
    """The ledger in a store, for commands."""
    from gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
    from gateway.stores.redis.usage import RedisLedger  # noqa: PLC0415 - as above
    from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

    return RedisLedger(Line(client, TaskGroup(), PATIENCE), keys, retain_days, SystemClock())


async def _run(url: str, store: Store, work: Callable[[Client, Keys], Awaitable[Result]]) -> Result:
    from gateway.stores.redis.client import connect  # noqa: PLC0415 - as above
    from gateway.stores.redis.keys import Keys  # noqa: PLC0415 - as above

    client = connect(url, PATIENCE, cluster=store.cluster)
    try:
        return await work(client, Keys(store.prefix))
    finally:
        await client.aclose()


def _socket(config: Config) -> Path:
    from gateway.processes.data_dir import STORE_SOCKET, running_socket  # noqa: PLC0415 - as above

    return running_socket(Path(config.server.data_dir), STORE_SOCKET)


def _shown(config: Config) -> str:
    from gateway.config.addresses import address  # noqa: PLC0415 - as above

    return address(config.store.url) if config.store.url else str(_socket(config))
