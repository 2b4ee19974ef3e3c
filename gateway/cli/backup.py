"""E: `gateway backup` and `gateway restore`: what a store knows, without the cache, to a file and back."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.progress import progress
from gateway.cli.store import FAILED, on_store, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from gateway.stores.redis.archive import Kept
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys


def backup(
    file: Path,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")] = None,
) -> None:
    """Write tenants, keys, usage, balances, jobs, classifiers and the secret to FILE, while gateways serve.

    Not the cache (`gateway cache export`) and not the files of batch jobs (`jobs.files`). FILE holds the secret that
    keys are known by: keep it as you keep the store. It appears when it is complete.
    """
    draft = file.with_name(file.name + ".part")
    try:
        with (
            open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,  # noqa: PTH123 - of a descriptor
            gzip.open(raw, "wb") as out,
            progress("entries") as moved,
        ):
            count = on_store(settings(config, data_dir), lambda client, keys: _send(client, keys, out, moved))
        draft.replace(file)
    except OSError as error:
        raise _problem(file, error) from None
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{count:,} entries of the store to {file}")


def restore(
    file: Path,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Also where the store has state of its own.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")] = None,
) -> None:
    """Put what `gateway backup` wrote into a store of the same product and version, or a later one.

    Do it before the gateways start; a gateway that runs (its own store has no other way) must be restarted after.
    Nothing is written from a file that is damaged or cut.
    """
    from gateway.stores.redis.archive import ArchiveError, read  # noqa: PLC0415 - no use to `gateway --help`

    try:
        with gzip.open(file, "rb") as lines:
            made_ms, kept = read(lines)
    except (OSError, EOFError) as error:
        raise _problem(file, error) from None
    except ArchiveError as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(FAILED) from None
    with progress("entries") as moved:
        there, written = on_store(
            settings(config, data_dir), lambda client, keys: _take(client, keys, kept, made_ms, moved, replace=replace)
        )
    if there and not replace:
        typer.echo(f"the store has {there:,} entries of state; --replace puts {len(kept):,} over them", err=True)
        raise typer.Exit(FAILED)
    ended = f"; {len(kept) - written:,} have ended since the backup" if written < len(kept) else ""
    typer.echo(f"{written:,} entries of the store restored{ended}. Start the gateways, or restart those that run")


async def _send(client: Client, keys: Keys, out: BinaryIO | gzip.GzipFile, moved: Callable[[int], None]) -> int:
    from gateway.stores.redis.archive import Writer  # noqa: PLC0415 - as above
    from gateway.stores.redis.backup import Backup  # noqa: PLC0415 - as above

    state, writer, count = Backup(client, keys.prefix, moved), Writer(), 0
    await asyncio.to_thread(out.write, writer.start(await state.now_ms()))
    async for records in state.records():
        await asyncio.to_thread(out.write, b"".join(map(writer.entry, records)))
        count += len(records)
    await asyncio.to_thread(out.write, writer.end())
    return count


async def _take(  # noqa: PLR0913 - what is written, and how
    client: Client, keys: Keys, kept: list[Kept], made_ms: int, moved: Callable[[int], None], *, replace: bool
) -> tuple[int, int]:
    from gateway.stores.redis.backup import Backup  # noqa: PLC0415 - as above

    state = Backup(client, keys.prefix, moved)
    there = await state.there()
    if there and not replace:
        return there, 0
    return there, await state.write(kept, max(0, await state.now_ms() - made_ms))


def _problem(file: Path, error: Exception) -> typer.Exit:
    what = getattr(error, "strerror", None) or "is no backup, or is cut off"
    typer.echo(f"{file}: {what}", err=True)
    return typer.Exit(FAILED)
