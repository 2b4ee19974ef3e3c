"""E: what workers must know to recognise keys: the secret, the issued keys, the developer's first key."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.administration.changes import DEV_TENANT
from gateway.authenticate import digest, issue
from gateway.errors import StoreError
from gateway.processes.problem import StartError
from gateway.stores.redis.client import connect, store_errors
from gateway.stores.redis.directory import SECRET_BYTES, add_issued_key, ensure_secret, issued_keys
from gateway.stores.redis.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.schema import Config
    from gateway.launch import IssuedKey
    from gateway.processes.data_dir import DataDir
    from gateway.stores.redis.client import Client

PATIENCE = 10.0
"""Seconds a store may take to become reachable at the start."""

_KEY_BYTES = 30
_KEY_ID_DIGITS = 12
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Credentials:
    """`dev_key` is None when the configuration names tenants or passes keys through.

    `store_run` is the run id of the server that had them ('': a cluster, whose servers have one each).
    """

    secret: bytes = field(repr=False)
    issued: tuple[IssuedKey, ...] = field(repr=False)
    dev_key: str | None = field(repr=False)
    store_run: str = ""


async def prepare(
    config: Config, store_url: str, data_dir: DataDir, say: Callable[[str], None], patience: float = PATIENCE
) -> Credentials:
    """Read the secret and the issued keys from the store; make both on the first start.

    A developer's key counts only while the configuration names no tenant: whoever configures tenants has not asked
    for a further one with a key in a file.

    Raises:
        StartError: the store is out of reach for `patience` seconds, or holds something damaged.
    """
    client = connect(store_url, max(config.store.timeout, 1.0), 1, cluster=config.store.cluster)
    try:
        keys = Keys(config.store.prefix)
        await _reach(client, keys, say, patience)
        secret = await _secret(config, client, keys)
        passed = config.server.authentication == "passthrough"
        dev_key = None if config.tenants or passed else await _dev_key(client, keys, secret, data_dir)
        known = await issued_keys(client, keys)
        run = await _run(config, client)
    except StoreError as error:
        raise StartError(f"the store failed: {error}; check store.url") from error
    finally:
        await client.aclose()
    issued = tuple(
        (address, tenant, key_id)
        for address, (tenant, key_id) in known.items()
        if dev_key is not None or tenant != DEV_TENANT or tenant in config.tenants
    )
    return Credentials(secret, issued, dev_key, run)


async def _run(config: Config, client: Client) -> str:
    if config.store.cluster:
        return ""
    with store_errors():
        server = await client.info("server")
    return str(server.get("run_id", ""))


async def _reach(client: Client, keys: Keys, say: Callable[[str], None], patience: float) -> None:
    began = time.monotonic()
    told = False
    while True:
        try:
            with store_errors():
                await client.get(keys.secret)
        except StoreError as error:
            if time.monotonic() - began >= patience:
                raise StartError(
                    f"can't reach the store at store.url for {patience:g} s ({error}); check the address and the server"
                ) from error
            if not told:
                say(f"can't reach the store at store.url yet ({error}); trying for {patience:g} s")
                told = True
            await asyncio.sleep(_PAUSE)
        else:
            return


async def _secret(config: Config, client: Client, keys: Keys) -> bytes:
    if config.server.secret is not None:
        return config.server.secret.encode()
    return await ensure_secret(client, keys, secrets.token_bytes(SECRET_BYTES))


async def _dev_key(client: Client, keys: Keys, secret: bytes, data_dir: DataDir) -> str:
    """The key in <data-dir>/dev-key, made if there is none; its digest is stored again each time, lest it was lost."""
    key = data_dir.read_dev_key()
    if key is None:
        key = issue(secrets.token_bytes(_KEY_BYTES))
        data_dir.write_dev_key(key)
    address = digest(key, secret)
    await add_issued_key(client, keys, address, DEV_TENANT, address.hex()[:_KEY_ID_DIGITS])
    return key
