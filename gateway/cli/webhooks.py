"""E: `gateway webhooks`: notices that could not be delivered, and trying them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gateway.cli.store import on_store, settings

if TYPE_CHECKING:
    from gateway.ports import DeadNotice
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys
    from gateway.stores.redis.notices import RedisNotices

webhooks = typer.Typer(no_args_is_help=True, help="Show notices that could not be delivered, or try them again.")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]


@webhooks.command("list")
def list_dead(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """The last notices that are dead, newest first: when, why (gone: a 410; tries: too many), which webhook, what."""
    from gateway.vocabulary.when import shown  # noqa: PLC0415 - `gateway --help` needs none of this

    chosen = settings(config, data_dir)
    positions = {webhook.id: f"webhooks.{position}" for position, webhook in enumerate(chosen.webhooks)}

    async def read(client: Client, keys: Keys) -> list[DeadNotice]:
        return await _notices(client, keys).dead()

    for letter in on_store(chosen, read):
        where = positions.get(letter.notice.address, "no longer configured")
        typer.echo(f"{shown(letter.at)}  {letter.why}  {where}  {letter.notice.id}  {letter.notice.body}")


@webhooks.command()
def retry(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Send all dead notices again, under the ids that they had. Addresses that answered 410 need a reload first."""
    chosen = settings(config, data_dir)

    async def revive(client: Client, keys: Keys) -> int:
        return await _notices(client, keys).revive()

    typer.echo(f"{on_store(chosen, revive)} due now")


def _notices(client: Client, keys: Keys) -> RedisNotices:
    from gateway.cli.store import PATIENCE  # noqa: PLC0415 - as above
    from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
    from gateway.stores.redis.notices import RedisNotices  # noqa: PLC0415 - as above
    from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

    return RedisNotices(Line(client, TaskGroup(), PATIENCE), keys)
