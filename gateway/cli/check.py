"""E: `gateway check`: what is wrong with a configuration, or what it amounts to."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.config.addresses import address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.parse import Loaded
    from gateway.config.schema import Config

WRONG = 1
UNREADABLE = 2
"""Exit codes: the configuration, or what is installed, has problems; there is no configuration to check."""


def check(
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG, else defaults.")] = None,
) -> None:
    """Say what is wrong with a configuration, or with what is installed for it, or sum it up; contacts nothing."""
    # Imported here: pydantic and the schema are no use to `gateway --help`.
    from gateway.cli.load import load_config  # noqa: PLC0415 - see above
    from gateway.config.problem import ConfigError  # noqa: PLC0415 - see above
    from gateway.processes.libraries import installed_misfits  # noqa: PLC0415 - see above

    try:
        loaded = load_config(config)
    except ConfigError as error:
        raise _wrong(str(error), len(error.problems)) from None
    except OSError as error:
        typer.echo(f"{error.filename}: cannot be read: {error.strerror}; check --config or $GATEWAY_CONFIG", err=True)
        raise typer.Exit(UNREADABLE) from None
    if unfit := installed_misfits():
        raise _wrong("\n".join(unfit), len(unfit))
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for line in summary(loaded):
        typer.echo(line)


def _wrong(sentences: str, count: int) -> typer.Exit:
    typer.echo(sentences, err=True)
    typer.echo(f"{count} problem{'s' if count > 1 else ''} found", err=True)
    return typer.Exit(WRONG)


def summary(loaded: Loaded) -> Iterator[str]:
    """The lines that say what a configuration amounts to; no key, no password."""
    from gateway.config.defaults import with_defaults  # noqa: PLC0415 - as in check
    from gateway.config.serving import served_models  # noqa: PLC0415 - as in check

    config = with_defaults(loaded.config)
    served = {answer.model.qualified_name for answer in served_models(config).values()}
    count = len(loaded.warnings)
    verdict = f"usable, with {count} warning{'s' if count > 1 else ''}" if count else "usable"
    yield f"{loaded.origin.source}: {verdict}"
    workers = config.server.workers or "one a processor"
    yield f"listens   http://{config.server.host}:{config.server.port}, workers: {workers}"
    yield f"data      {config.server.data_dir}"
    yield f"store     {address(config.store.url) if config.store.url else 'embedded'} (not contacted)"
    yield from _tenants(config)
    for name, backend in config.backends.items():
        yield f"backend   {name}: {backend.dialect}, {address(backend.url)} (not contacted)"
    yield f"models    {len(served)} served"
    for webhook in config.webhooks:
        # The path may be a secret.
        yield f"webhook   {'/'.join(address(webhook.url).split('/')[:3])}: {', '.join(webhook.events)} (not contacted)"


def _tenants(config: Config) -> Iterator[str]:
    if config.server.authentication == "passthrough":
        yield f"tenant    each caller's own key, passed through, tier {config.server.passthrough_tier}"
    elif not config.tenants:
        yield "tenant    none configured: the first start makes the tenant `dev` with a key"
    for name, tenant in config.tenants.items():
        yield f"tenant    {name}: tier {tenant.tier}, org {tenant.org}, keys: {len(tenant.keys)}"
