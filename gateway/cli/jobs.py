"""E: `gateway jobs`: batch jobs of all tenants: list, show, cancel, watch."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from gateway.cli.store import FAILED, PATIENCE, on_store, settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from gateway.ports.jobs import Batch
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.jobs import RedisJobs
    from gateway.stores.redis.keys import Keys

Result = TypeVar("Result")

jobs = typer.Typer(no_args_is_help=True, help="Batch jobs: list, show, cancel, or watch one until it ends.")

ConfigFile: TypeAlias = Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")]
DataDir: TypeAlias = Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")]
JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="As `gateway jobs list` shows it.")]
Every: TypeAlias = Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between looks.")]


@jobs.command("list")
def list_jobs(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """The latest jobs, newest first: id, state, lines done of all, refused among them, tenant, model, created."""
    from gateway.vocabulary.when import shown  # noqa: PLC0415 - `gateway --help` needs none of this

    def read(store: RedisJobs) -> Awaitable[list[Batch]]:
        return store.newest(tenant, limit)

    for batch in on_store(settings(config, data_dir), _with(read)):
        order = batch.order
        typer.echo(f"{order.id}  {_progress(batch)}  {order.tenant}  {order.model}  {shown(order.created)}")


@jobs.command()
def show(name: JobId, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Everything about one job, as the API tells its tenant, and whose it is."""
    import orjson  # noqa: PLC0415 - as above

    from gateway.endpoints.batch import OUTPUT, status_of  # noqa: PLC0415 - as above

    batch = _found(on_store(settings(config, data_dir), _with(lambda store: store.get(name))), name)
    links = {kind: f"/v1/batch/{batch.order.id}/{kind}" for kind in OUTPUT}
    whose = {"tenant": batch.order.tenant, "key": batch.order.key_id, "chunks": batch.chunks}
    typer.echo(orjson.dumps(status_of(batch, links) | whose, option=orjson.OPT_INDENT_2).decode())


@jobs.command()
def cancel(name: JobId, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Send nothing more of a job. What is answered already can be fetched until it expires."""
    from gateway.ports.jobs import State  # noqa: PLC0415 - as above

    async def end(store: RedisJobs) -> tuple[bool, Batch | None]:
        return await store.end(name, State.CANCELLED), await store.get(name)

    ended, batch = on_store(settings(config, data_dir), _with(end))
    state = _found(batch, name).state
    if not ended:
        typer.echo(f"gateway: {name} has ended already: {state}", err=True)
        raise typer.Exit(FAILED)
    typer.echo(f"{name} {state}")


@jobs.command()
def watch(name: JobId, every: Every = 1.0, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Show how far a job is until it ends: a live bar on a terminal, a line a change elsewhere."""
    chosen = settings(config, data_dir)
    with _live() if sys.stdout.isatty() else _plain() as tell:

        async def follow(store: RedisJobs) -> Batch | None:
            batch = await store.get(name)
            while batch is not None:
                tell(batch)
                if batch.state.ended:
                    break
                await asyncio.sleep(every)
                batch = await store.get(name)
            return batch

        found = on_store(chosen, _with(follow))
    batch = _found(found, name)
    if batch.error:
        typer.echo(f"gateway: {batch.error}", err=True)
    if batch.state != "completed":
        raise typer.Exit(FAILED)


def _found(batch: Batch | None, name: str) -> Batch:
    if batch is None:
        typer.echo(f"gateway: there is no job {name}", err=True)
        raise typer.Exit(FAILED)
    return batch


def _progress(batch: Batch) -> str:
    tally = batch.tally
    total = "?" if batch.total is None else f"{batch.total:,}"
    return f"{batch.state.value}  {tally.completed + tally.failed:,}/{total}  {tally.failed:,} refused"


@contextmanager
def _plain() -> Iterator[Callable[[Batch], None]]:
    said = ""

    def tell(batch: Batch) -> None:
        nonlocal said
        line = _progress(batch)
        if line != said:
            typer.echo(line)
        said = line

    yield tell


@contextmanager
def _live() -> Iterator[Callable[[Batch], None]]:
    from rich.progress import (  # noqa: PLC0415 - slow to import, and of no use to `gateway --help`
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as live:
        task = live.add_task("", total=None)

        def tell(batch: Batch) -> None:
            done = batch.tally.completed + batch.tally.failed
            live.update(task, description=batch.state.value, total=batch.total, completed=done)

        yield tell


def _with(work: Callable[[RedisJobs], Awaitable[Result]]) -> Callable[[Client, Keys], Awaitable[Result]]:
    async def run(client: Client, keys: Keys) -> Result:
        from gateway.stores.redis.client import Line  # noqa: PLC0415 - as above
        from gateway.stores.redis.jobs import RedisJobs  # noqa: PLC0415 - as above
        from gateway.tasks import TaskGroup  # noqa: PLC0415 - as above

        return await work(RedisJobs(Line(client, TaskGroup(), PATIENCE), keys))

    return run
