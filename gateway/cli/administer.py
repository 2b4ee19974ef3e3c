"""E: changes of tenants and keys by command, straight in the store: every gateway on it follows within a second."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from gateway.cli.store import FAILED, PATIENCE, on_store, settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from gateway.administration.administrator import Administrator
    from gateway.config.schema import Config
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys

Result = TypeVar("Result")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]


def administer(config: Path | None, data_dir: str | None, work: Callable[[Administrator], Awaitable[Result]]) -> Result:
    """What `work` gives, or the end of the command with a sentence when that makes no sense."""
    from gateway.errors import GatewayError  # noqa: PLC0415 - no use to `gateway --help`

    chosen = settings(config, data_dir)
    try:
        return on_store(chosen, lambda client, keys: _at_work(chosen, client, keys, work))
    except GatewayError as error:
        sentences = [f"{entry.field.removeprefix('body -> ')} {entry.message}" for entry in error.errors]
        for sentence in sentences or [error.message]:
            typer.echo(f"gateway: {sentence}", err=True)
        raise typer.Exit(FAILED) from None


async def _at_work(
    config: Config, client: Client, keys: Keys, work: Callable[[Administrator], Awaitable[Result]]
) -> Result:
    import secrets  # noqa: PLC0415 - as above

    from gateway.administration.administrator import Administrator  # noqa: PLC0415 - as above
    from gateway.clock import SystemClock  # noqa: PLC0415 - as above
    from gateway.stores.redis.accounts import RedisAccounts  # noqa: PLC0415 - as above
    from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
    from gateway.stores.redis.directory import SECRET_BYTES, ensure_secret  # noqa: PLC0415 - as above
    from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

    tasks, clock = TaskGroup(), SystemClock()
    written = config.server.secret
    secret = written.encode() if written else await ensure_secret(client, keys, secrets.token_bytes(SECRET_BYTES))
    store = RedisAccounts(Line(client, tasks, PATIENCE), keys, clock)
    try:
        return await work(Administrator(store, lambda: config, secret, clock, secrets.token_bytes))
    finally:
        await tasks.drain(PATIENCE)


def who() -> str:
    """How the audit log names whoever runs this command."""
    import getpass  # noqa: PLC0415 - as above

    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as in many containers
        import os  # noqa: PLC0415 - as above

        return f"cli:{os.getuid()}"


def name(text: str) -> str:
    """A name of the form that the configuration wants.

    Raises:
        BadParameter: it has another form.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - as above

    from gateway.config.section import Name  # noqa: PLC0415 - as above

    try:
        return TypeAdapter(Name).validate_python(text)  # type: ignore[no-any-return,unused-ignore]
    except ValidationError:
        form = "use letters, digits and . _ : / - (first a letter or digit), 128 characters at most"
        raise typer.BadParameter(form) from None


def seconds(text: str) -> int:
    """A length of time as `24h` or `90d`.

    Raises:
        BadParameter: it is none.
    """
    from gateway.vocabulary.when import moment  # noqa: PLC0415 - as above

    try:
        length = -moment(text, 0)
    except ValueError:
        length = -1
    if length < 0:
        raise typer.BadParameter("not a length of time, as 30m, 24h or 90d")
    return length


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest word, with two spaces between."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    for line in lines:
        typer.echo("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())
