"""E: `gateway balance`: what tenants have left, and adding to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gateway.cli.store import FAILED, ledger_on, on_store, settings
from gateway.vocabulary import dollars, nanos

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gateway.admit.budget import Meter
    from gateway.config.schema import Config
    from gateway.config.spending import Balance
    from gateway.stores.redis.keys import Keys

balance = typer.Typer(no_args_is_help=True, help="Show what a tenant has left, or add to it.")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]
TenantName: TypeAlias = Annotated[str, typer.Option(help="A tenant whose configuration has a `balance`.")]


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
    from gateway.stores.redis.balances import top_up as add  # noqa: PLC0415 - `gateway --help` needs none of this

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
    on_store(chosen, lambda client, keys: add(client, keys, tenant, "tokens" if in_tokens else "nanos", amount))
    _show(chosen, tenant, begun)


def _balance_of(config: Config, tenant: str) -> Balance:
    known = config.tenants.get(tenant)
    if known is None or known.balance is None:
        typer.echo(f"gateway: tenant {tenant} has no `balance` in this configuration", err=True)
        raise typer.Exit(FAILED)
    return known.balance


def _show(config: Config, tenant: str, begun: Balance) -> None:
    from gateway.admit.budget import meters  # noqa: PLC0415 - as above
    from gateway.stores.redis.balances import topped_up  # noqa: PLC0415 - as above

    async def read(client: Redis, keys: Keys) -> tuple[Meter, int, int]:
        unit = meters((), begun, 0)[0].unit
        added = await topped_up(client, keys, tenant, unit)
        used = await ledger_on(client, keys, config.ledger.retain_days).lifetime(tenant)
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
