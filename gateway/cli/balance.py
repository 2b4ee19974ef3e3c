"""E: `gateway balance`: what tenants have left, and adding to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gateway.cli.store import FAILED, PATIENCE, ledger_on, on_store, settings
from gateway.vocabulary import dollars, nanos

if TYPE_CHECKING:
    from gateway.admit.budget import Meter
    from gateway.config.schema import Config, Tenant
    from gateway.config.spending import Balance
    from gateway.ports import Unit
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys

balance = typer.Typer(no_args_is_help=True, help="Show what a tenant has left, or add to it.")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]
TenantName: TypeAlias = Annotated[str, typer.Option(help="A tenant that has a `balance`, or whose tier has one.")]


@balance.command()
def show(tenant: TenantName, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """What a tenant began with, was given, has used and has left, up to a second ago."""
    chosen = settings(config, data_dir)
    _show(chosen, tenant, _balance_of(chosen, tenant))


@balance.command("top-up")
def top_up(
    tenant: TenantName,
    tokens: Annotated[int | None, typer.Option(min=1, help="Tokens to add.")] = None,
    usd: Annotated[str | None, typer.Option(help="US dollars to add, such as 5.00.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Add to a tenant's balance, in its own unit. If it fails, look with `show` before trying again."""
    chosen = settings(config, data_dir)
    begun = _balance_of(chosen, tenant)
    in_tokens = begun.starting_usd is None
    if (tokens is None) == in_tokens or (usd is None) != in_tokens:
        raise typer.BadParameter(
            f"this balance is in {'tokens' if in_tokens else 'US dollars'}: give that, and only that"
        )
    try:
        amount = tokens or nanos(usd or "")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--usd") from None
    if not amount:
        raise typer.BadParameter("nothing to add", param_hint="--usd")
    unit: Unit = "tokens" if in_tokens else "nanos"
    days = chosen.ledger.retain_days
    on_store(chosen, lambda client, keys: ledger_on(client, keys, days).top_up(tenant, unit, amount))
    _show(chosen, tenant, begun)


def _balance_of(config: Config, tenant: str) -> Balance:
    from gateway.config.defaults import merged_tiers  # noqa: PLC0415 - `gateway --help` needs none of this

    known = config.tenants.get(tenant) or _made(config, tenant)
    plan = None if known is None else merged_tiers(config).get(known.tier)
    found = (known.balance if known else None) or (plan.balance if plan else None)
    if found is None:
        typer.echo(f"gateway: neither tenant {tenant} nor its tier has a `balance`", err=True)
        raise typer.Exit(FAILED)
    return found


def _made(config: Config, tenant: str) -> Tenant | None:
    """A tenant that was made at run time."""
    from gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from gateway.stores.redis.accounts import RedisAccounts  # noqa: PLC0415 - as above
    from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
    from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

    async def read(client: Client, keys: Keys) -> Tenant | None:
        _, accounts = await RedisAccounts(Line(client, TaskGroup(), PATIENCE), keys, SystemClock()).load()
        record = accounts.tenants.get(tenant)
        return None if record is None else record.configured()

    return on_store(config, read)


def _show(config: Config, tenant: str, begun: Balance) -> None:
    from gateway.admit.budget import meters  # noqa: PLC0415 - as above

    async def read(client: Client, keys: Keys) -> tuple[Meter, int, int]:
        unit = meters((), begun, 0)[0].unit
        ledger = ledger_on(client, keys, config.ledger.retain_days)
        added, used = await ledger.topped_up(tenant, unit), await ledger.lifetime(tenant)
        [meter] = meters((), begun, 0, added)
        return meter, added, used.upstream_tokens if unit == "tokens" else used.nanos

    meter, added, used = on_store(config, read)
    for name, amount in (
        ("began", meter.limit - added),
        ("added", added),
        ("used", used),
        ("left", meter.limit - used),
    ):
        typer.echo(f"{name:<6} {f'{amount:,} tokens' if meter.unit == 'tokens' else f'{dollars(amount)} US$'}")
