"""E: `gateway limits`: every limit in force, and what is used of it now, from the store."""

from __future__ import annotations

import json
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.administer import ConfigFile, DataDir  # noqa: TC001 - typer reads the annotations at run time
from gateway.cli.store import FAILED, PATIENCE, ledger_on, on_store, settings

if TYPE_CHECKING:
    from gateway.admit.in_force import Bound
    from gateway.config.schema import Config
    from gateway.config.snapshot import Snapshot
    from gateway.stores.redis.client import Client, Line
    from gateway.stores.redis.keys import Keys

_WIDE = 200


def limits(
    tenant: Annotated[
        str | None, typer.Argument(help="One tenant and what holds for everybody; by default all.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Requests, tokens, requests at once and budgets by tenant, key, endpoint and model: used, left, allowed.

    Figures are of all workers of all gateways on the store, a fifth of a second old at most.
    """
    chosen = settings(config, data_dir)
    rows = on_store(chosen, lambda client, keys: _read(chosen, client, keys, tenant))
    if tenant is not None and all(row.tenant != tenant for row in rows):
        typer.echo(f"gateway: no limits of a tenant {tenant!r}; `gateway tenants list` has the names", err=True)
        raise typer.Exit(FAILED)
    if as_json:
        typer.echo(json.dumps({"tenant": tenant, "limits": [row.figures() for row in rows]}))
    else:
        _table(rows)


async def _read(config: Config, client: Client, keys: Keys, tenant: str | None) -> list[Bound]:
    from gateway.admit.budgets import Budgets  # noqa: PLC0415 - `gateway --help` needs none of this
    from gateway.admit.standing import Standing  # noqa: PLC0415 - as above
    from gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from gateway.dispatch.allowances import allowances  # noqa: PLC0415 - as above
    from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
    from gateway.stores.redis.readings import RedisReadings  # noqa: PLC0415 - as above
    from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

    clock, tasks = SystemClock(), TaskGroup()
    line = Line(client, tasks, PATIENCE)
    try:
        snapshot = await _snapshot(config, client, keys, line)
        budgets = Budgets(ledger_on(client, keys, config.ledger.retain_days), clock)
        return await Standing(RedisReadings(line, keys, clock.epoch), budgets, allowances).of(snapshot, tenant)
    finally:
        await tasks.drain(PATIENCE)


async def _snapshot(config: Config, client: Client, keys: Keys, line: Line) -> Snapshot:
    """What a worker has in force: the configuration, and the tenants and keys of the store."""
    from gateway.authenticate import digest  # noqa: PLC0415 - as above
    from gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from gateway.config.compile import compile_snapshot, with_accounts  # noqa: PLC0415 - as above
    from gateway.stores.redis.accounts import RedisAccounts  # noqa: PLC0415 - as above
    from gateway.stores.redis.directory import SECRET_BYTES, ensure_secret, issued_keys  # noqa: PLC0415 - as above

    written = config.server.secret
    secret = written.encode() if written else await ensure_secret(client, keys, secrets.token_bytes(SECRET_BYTES))
    passed = config.server.authentication == "passthrough"
    issued = {} if config.tenants or passed else await issued_keys(client, keys)
    base = compile_snapshot(config, secret=secret, digest=digest, issued=issued)
    _, accounts = await RedisAccounts(line, keys, SystemClock()).load()
    return with_accounts(base, accounts)


def _table(rows: list[Bound]) -> None:
    """The fullest first, as on the console."""
    from rich.box import SIMPLE  # noqa: PLC0415 - as above
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    from gateway.cli.top_screen import SCOPES, amount, kind  # noqa: PLC0415 - as above
    from gateway.edge.console.curves import percent  # noqa: PLC0415 - as above

    table = Table("whose", "limit", "of", box=SIMPLE)
    for name in ("used", "left", "allowed", "share"):
        table.add_column(name, justify="right")
    for row in sorted(rows, key=lambda row: -row.share):
        bound = row.figures()
        name = f"{SCOPES.get(row.scope, row.scope.value)} {row.name}".strip() + (" (shadow)" if row.shadow else "")
        figures = (*(amount(bound, field) for field in ("used", "left", "limit")), percent(row.share))
        table.add_row(row.tenant or "everybody", name, kind(bound), *figures)
    Console(width=None if sys.stdout.isatty() else _WIDE, markup=False).print(table)
