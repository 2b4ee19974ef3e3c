"""E: `gateway tenants`: who may call, beside the tenants of the configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.administer import ConfigFile, DataDir, administer, name, table, who
from gateway.cli.store import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.accounts import Accounts
    from gateway.config.schema import Config

tenants = typer.Typer(no_args_is_help=True, help="Make and change tenants; in force everywhere within a second.")

SCOPES = "off, tenant, org or shared; by default what cache.scope says."


@tenants.command("list")
def list_(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """All tenants, of the configuration and of the store."""
    accounts = administer(config, data_dir, lambda desk: desk.accounts())
    rows = _rows(settings(config, data_dir), accounts)
    table(("tenant", "tier", "org", "cache scope", "state", "keys", "made by"), rows)


@tenants.command()
def create(  # noqa: PLR0913 - each is an option
    *,
    tenant: Annotated[str, typer.Argument(parser=name, metavar="NAME")],
    tier: Annotated[str, typer.Option(parser=name, help="Name of a tier.", metavar="NAME")] = "free",
    org: Annotated[str, typer.Option(parser=name, help="Tenants of one org share the cache.", metavar="NAME")] = (
        "default"
    ),
    cache_scope: Annotated[str | None, typer.Option(help=SCOPES)] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make a tenant; then make it a key with `gateway keys create`."""
    from gateway.config.accounts import RuntimeTenant  # noqa: PLC0415 - no use to `gateway --help`

    made = RuntimeTenant.model_validate({"tier": tier, "org": org} | _scope(cache_scope))
    administer(config, data_dir, lambda desk: desk.create_tenant(who(), tenant, made))
    typer.echo(f"created {tenant}")


@tenants.command()
def update(  # noqa: PLR0913 - each is an option
    *,
    tenant: Annotated[str, typer.Argument(parser=name, metavar="NAME")],
    tier: Annotated[str | None, typer.Option(parser=name, help="Name of a tier.", metavar="NAME")] = None,
    org: Annotated[str | None, typer.Option(parser=name, help="Whom it shares the cache with.", metavar="NAME")] = None,
    cache_scope: Annotated[str | None, typer.Option(help=SCOPES)] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Disabled, all its keys are refused.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Change what is given."""
    from gateway.config.accounts import TenantChanges  # noqa: PLC0415 - as above

    given = {"tier": tier, "org": org, "enabled": enabled}
    written = {setting: value for setting, value in given.items() if value is not None} | _scope(cache_scope)
    if not written:
        raise typer.BadParameter("nothing to change: give --tier, --org, --cache-scope, --enable or --disable")
    changes = TenantChanges.model_validate(written)
    administer(config, data_dir, lambda desk: desk.update_tenant(who(), tenant, changes))
    typer.echo(f"changed {tenant}")


@tenants.command()
def delete(
    tenant: Annotated[str, typer.Argument(parser=name, metavar="NAME")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Take a tenant and its keys out."""
    administer(config, data_dir, lambda desk: desk.delete_tenant(who(), tenant))
    typer.echo(f"deleted {tenant}")


def _scope(written: str | None) -> dict[str, str]:
    from gateway.vocabulary import CacheScope  # noqa: PLC0415 - as above

    if written is not None and written not in list(CacheScope):
        raise typer.BadParameter(f"write one of {', '.join(CacheScope)}", param_hint="--cache-scope")
    return {} if written is None else {"cache_scope": written}


def _rows(config: Config, accounts: Accounts) -> Iterator[tuple[str, ...]]:
    counts = dict.fromkeys([*config.tenants, *accounts.tenants], 0)
    for key in accounts.keys.values():
        if key.tenant in counts and key.revoked is None:
            counts[key.tenant] += 1
    for tenant, entry in config.tenants.items():
        keys = str(len(entry.keys) + counts[tenant])
        yield tenant, entry.tier, entry.org, str(entry.cache_scope or config.cache.scope), "enabled", keys, "file"
    for tenant, record in sorted(accounts.tenants.items()):
        if tenant not in config.tenants:
            state = "enabled" if record.enabled else "disabled"
            scope = str(record.cache_scope or config.cache.scope)
            yield tenant, record.tier, record.org, scope, state, str(counts[tenant]), "command"
