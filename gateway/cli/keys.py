"""E: `gateway keys`: API keys that are made, replaced and taken back while gateways run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.administer import ConfigFile, DataDir, administer, name, seconds, table, who

if TYPE_CHECKING:
    from gateway.administration.administrator import MadeKey
    from gateway.config.accounts import RuntimeKey

keys = typer.Typer(no_args_is_help=True, help="Make, replace and revoke API keys; in force everywhere within a second.")


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(parser=name, help="Whose key it is.", metavar="NAME")],
    key_name: Annotated[
        str, typer.Option("--name", parser=name, help="What the key is for.", metavar="NAME")
    ] = "default",
    expires: Annotated[
        int | None, typer.Option(parser=seconds, help="After this long, as 90d.", metavar="TIME")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it, this once: it is kept nowhere."""
    end = None if expires is None else int(time.time()) + expires
    _show(administer(config, data_dir, lambda desk: desk.create_key(who(), tenant, key_name, end)))


@keys.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(parser=name, help="Only this tenant's.", metavar="NAME")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """All keys that were made, by id. Keys in the configuration file are not among them."""
    from gateway.vocabulary.when import shown  # noqa: PLC0415 - no use to `gateway --help`

    accounts = administer(config, data_dir, lambda desk: desk.accounts())
    chosen = [(key_id, key) for key_id, key in accounts.keys.items() if tenant in {None, key.tenant}]
    rows = [
        (key_id, key.tenant, key.name, shown(key.created), shown(key.expires) if key.expires else "never", _state(key))
        for key_id, key in sorted(chosen, key=lambda entry: (entry[1].tenant, entry[1].name, entry[1].created))
    ]
    table(("id", "tenant", "name", "created", "expires", "state"), rows)


@keys.command()
def rotate(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `gateway keys list` shows it.")],
    grace: Annotated[int, typer.Option(parser=seconds, help="The old key is good this long.", metavar="TIME")] = "24h",  # type: ignore[assignment] # typer parses it
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key of the same tenant and name in the place of another, and print it, this once.

    Limits, usage and balance are the tenant's, so they go on as they are.
    """
    _show(administer(config, data_dir, lambda desk: desk.rotate_key(who(), key_id, grace)))


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `gateway keys list` shows it.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Refuse a key from now on."""
    administer(config, data_dir, lambda desk: desk.revoke_key(who(), key_id))
    typer.echo(f"revoked {key_id}")


def _show(made: MadeKey) -> None:
    """The key alone on standard output, so that it can be piped to where it is kept."""
    typer.echo(f"id {made.id}; the key is shown this once", err=True)
    typer.echo(made.key)


def _state(key: RuntimeKey) -> str:
    if key.revoked is not None:
        return "revoked"
    return "good" if key.ended(int(time.time())) is None else "expired"
