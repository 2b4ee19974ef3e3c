"""E: `gateway cache`: what it holds, taking out, moving, filling, and what another size would have hit."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gateway.cli.progress import progress
from gateway.cli.store import FAILED, on_store, settings

if TYPE_CHECKING:
    from gateway.config.schema import Config

cache = typer.Typer(no_args_is_help=True, help="Look into the cache, empty, move or fill it.")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]

TTLS = {"1 h": 3_600, "1 d": 86_400, "7 d": 604_800, "30 d": 2_592_000}


@cache.command()
def stats(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """How much is stored, of which models, since when."""
    from gateway.stores.redis.inventory import Inventory  # noqa: PLC0415 - as above
    from gateway.vocabulary.when import shown  # noqa: PLC0415 - `gateway --help` needs none of this

    chosen = settings(config, data_dir)
    with progress("entries") as moved:
        held = on_store(chosen, lambda client, keys: Inventory(client, keys, moved).stats())
    shares = held.models.values()
    typer.echo(f"entries  {sum(share.entries for share in shares):,}")
    typer.echo(
        f"bytes    {sum(share.bytes for share in shares):,} (names and values, without the store's own overhead)"
    )
    typer.echo(f"tokens   {sum(share.tokens for share in shares):,}")
    typer.echo(f"oldest   {shown(held.oldest)}\nnewest   {shown(held.newest)}")
    if held.foreign:
        typer.echo(f"other    {held.foreign:,} of another version, or damaged")
    known = _names(chosen)
    for model, share in sorted(held.models.items(), key=lambda entry: -entry[1].bytes):
        name = "(not named)" if model is None else known.get(model, f"(unknown {model.hex()})")
        typer.echo(f"model    {name}: {share.entries:,} entries, {share.bytes:,} bytes, {share.tokens:,} tokens")


@cache.command()
def purge(  # noqa: PLR0913 - each is an option
    *,
    model: Annotated[str | None, typer.Option(help="Answers of this model.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Answers that this tenant paid for.")] = None,
    before: Annotated[
        str | None, typer.Option(help="Older than a date or time (2026-01-31T12:00, UTC) or an age (7d, 12h).")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All answers, of this version or not.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Remove answers that fit all conditions given. Workers may answer from their own memory for 60 s more."""
    from gateway.plan.origin import tag  # noqa: PLC0415 - as above
    from gateway.stores.redis.inventory import Choice, Inventory  # noqa: PLC0415 - as above
    from gateway.vocabulary.when import moment  # noqa: PLC0415 - as above

    if everything == bool(model or tenant or before):
        raise typer.BadParameter("give --model, --tenant or --before (all given must fit), or else --all")
    try:
        since = moment(before, int(time.time())) if before else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--before") from None
    choice = Choice(tag(model) if model else None, tag(tenant) if tenant else None, since)
    with progress("entries") as moved:
        removed = on_store(
            settings(config, data_dir), lambda client, keys: Inventory(client, keys, moved).purge(choice)
        )
    typer.echo(f"removed {removed.entries:,}; workers may answer from their own memory for up to 60 s more")
    if removed.unnamed:
        typer.echo(
            f"kept {removed.unnamed:,} that do not say their model or tenant; --before or --all fits them", err=True
        )


@cache.command("export")
def export_(file: Path, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Write all answers to FILE, for a store whose gateways have the same `server.secret`; to others they are nothing.

    FILE holds vectors of what was asked: keep it as you keep the store. It appears when it is complete.
    """
    from gateway.cli.moving import send  # noqa: PLC0415 - as above

    chosen = settings(config, data_dir)
    draft = file.with_name(file.name + ".part")
    try:
        with (
            open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,  # noqa: PTH123 - of a descriptor
            progress("entries") as moved,
        ):
            count = on_store(chosen, lambda client, keys: send(client, keys, out, moved))
        draft.replace(file)
    except OSError as error:
        raise _file_problem(file, error) from None
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"exported {count:,} to {file}")


@cache.command("import")
def import_(file: Path, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Add the answers in FILE that are not stored yet; they are found by gateways with the exporter's `server.secret`.

    A damaged file stops it; what was read until then is whole, and stays.
    """
    from gateway.cli.moving import take  # noqa: PLC0415 - as above
    from gateway.stores.redis.transfer import TransferError  # noqa: PLC0415 - as above

    chosen = settings(config, data_dir)
    try:
        with file.open("rb") as stream, progress("entries") as moved:
            read, added = on_store(chosen, lambda client, keys: take(client, keys, stream, moved))
    except OSError as error:
        raise _file_problem(file, error) from None
    except TransferError as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(FAILED) from None
    typer.echo(f"imported {added:,} of {read:,}; the others were stored already")


@cache.command()
def warm(
    file: Annotated[Path, typer.Argument(help="One embeddings request a line: {model, input, …}.")],
    url: Annotated[str, typer.Option(help="Of a running gateway.")] = "http://127.0.0.1:8080",
    key_file: Annotated[Path | None, typer.Option(help="Holds the API key; by default it is $GATEWAY_KEY.")] = None,
) -> None:
    """Send the requests in FILE, four at a time, so that their answers are stored. Exit code 1 if any failed."""
    from gateway.cli.warm import Warmer  # noqa: PLC0415 - as above

    try:
        key = key_file.read_text().strip() if key_file else os.environ.get("GATEWAY_KEY", "")
        if not key:
            raise typer.BadParameter("no key: name a --key-file, or set GATEWAY_KEY")
        with file.open("rb") as lines, progress("lines") as moved:
            totals = asyncio.run(Warmer(url, key, lambda text: typer.echo(text, err=True)).run(iter(lines), moved))
    except OSError as error:
        raise _file_problem(Path(error.filename or file), error) from None
    typer.echo(f"inputs stored already {totals.hits:,}, asked {totals.misses:,}; lines failed {totals.failed:,}")
    if totals.failed:
        raise typer.Exit(FAILED)


@cache.command()
def whatif(
    sizes: Annotated[str, typer.Option(help="Entries, as 100000,1000000; `unlimited` is always shown.")] = "",
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """What share of accesses another lifetime or size would have hit, from a recorded sample of one input in 256."""
    from gateway.settle.whatif import outlooks  # noqa: PLC0415 - as above
    from gateway.stores.redis.sketch import accesses  # noqa: PLC0415 - as above

    try:
        rooms = [int(size) for size in sizes.replace("_", "").split(",")] if sizes else []
    except ValueError:
        raise typer.BadParameter("whole numbers with commas between, as 100000,1000000", param_hint="--sizes") from None
    trace = on_store(settings(config, data_dir), accesses)
    span = trace[-1][0] - trace[0][0] if trace else 0.0
    typer.echo(f"{len(trace):,} accesses recorded in {span / 3_600:,.1f} h; longer lifetimes than that look alike")
    typer.echo("ttl    " + "".join(f"{room:>14}" for room in ("unlimited", *(f"{room:,}" for room in rooms))))
    for name, ttl in TTLS.items():
        row = outlooks(trace, [ttl], [None, *rooms])
        typer.echo(f"{name:<7}" + "".join(f"{outlook.ratio:>14.1%}" for outlook in row))


def _names(config: Config) -> dict[bytes, str]:
    """Every model's name by its tag: of the catalogue and of the configuration."""
    from gateway.catalogue.registry import CATALOGUE, LOCAL_MODELS  # noqa: PLC0415 - as above
    from gateway.plan.origin import tag  # noqa: PLC0415 - as above

    return {tag(name): name for name in (*CATALOGUE, *[model.name for model in LOCAL_MODELS], *config.models)}


def _file_problem(file: Path, error: OSError) -> typer.Exit:
    typer.echo(f"{file}: {error.strerror or type(error).__name__}", err=True)
    return typer.Exit(FAILED)
