"""E: `gateway webhooks`: notices that could not be delivered, trying them again, and what signs those to tenants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gateway.cli.store import on_store, settings

if TYPE_CHECKING:
    from gateway.ports import DeadNotice, Notice
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys
    from gateway.stores.redis.notices import RedisNotices

webhooks = typer.Typer(no_args_is_help=True, help="Notices that could not be delivered, and secrets.")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]


@webhooks.command("list")
def list_dead(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """The last notices that are dead, newest first: when, why (gone: a 410; tries: too many), which webhook, what.

    Those to clients about their jobs come after those to the operator, with the tenant and the host they were for.
    """
    from gateway.vocabulary.when import shown  # noqa: PLC0415 - `gateway --help` needs none of this

    chosen = settings(config, data_dir)
    positions = {webhook.id: f"webhooks.{position}" for position, webhook in enumerate(chosen.webhooks)}

    async def read(client: Client, keys: Keys) -> list[DeadNotice]:
        return [letter for notices in _notices(client, keys) for letter in await notices.dead()]

    for letter in on_store(chosen, read):
        where = _client(letter.notice) or positions.get(letter.notice.address, "no longer configured")
        typer.echo(f"{shown(letter.at)}  {letter.why}  {where}  {letter.notice.id}  {letter.notice.body}")


@webhooks.command()
def retry(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Send all dead notices again, under the ids that they had. Addresses that answered 410 need a reload first."""
    chosen = settings(config, data_dir)

    async def revive(client: Client, keys: Keys) -> int:
        return sum([await notices.revive() for notices in _notices(client, keys)])

    typer.echo(f"{on_store(chosen, revive)} due now")


@webhooks.command()
def secret(
    tenant: Annotated[str, typer.Option(help="Whose messages about jobs are signed with it.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """What messages to a tenant about its jobs are signed with; it may ask GET /v1/webhook-secret itself."""
    from gateway.notify.addresses import shown_key, tenant_key  # noqa: PLC0415 - as above

    chosen = settings(config, data_dir)

    async def read(client: Client, keys: Keys) -> bytes:
        import secrets  # noqa: PLC0415 - as above

        from gateway.stores.redis.directory import SECRET_BYTES, ensure_secret  # noqa: PLC0415 - as above

        written = chosen.server.secret
        return written.encode() if written else await ensure_secret(client, keys, secrets.token_bytes(SECRET_BYTES))

    typer.echo(shown_key(tenant_key(tenant, on_store(chosen, read))))


def _client(notice: Notice) -> str:
    """Who is told about a job, and where, without the path, which may be a secret; empty for one to the operator."""
    from gateway.config.addresses import address  # noqa: PLC0415 - as above

    return f"{notice.tenant} {'/'.join(address(notice.address).split('/')[:3])}" if notice.tenant else ""


def _notices(client: Client, keys: Keys) -> list[RedisNotices]:
    """Those to the operator, those to clients."""
    from gateway.cli.store import PATIENCE  # noqa: PLC0415 - as above
    from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
    from gateway.stores.redis.notices import RedisNotices  # noqa: PLC0415 - as above
    from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

    line = Line(client, TaskGroup(), PATIENCE)
    return [RedisNotices(line, keys), RedisNotices(line, keys, of_jobs=True)]
