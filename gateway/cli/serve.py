"""E: `gateway serve`: the whole gateway, from one command."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gateway.config.parse import Loaded
    from gateway.config.schema import Config
    from gateway.processes.nursery import Nursery

FAILED = 1
UNREADABLE = 2
"""Exit codes: the gateway can't start; there is no such configuration file."""


def serve(
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG, else defaults.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port (default 8080); 0 takes a free one.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes sharing the port (default one a processor, 8 at most).")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="The only folder that is written to (default ./gateway-data).")
    ] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Options win over the file.

    Without a store in the configuration a private Valkey is started, without a backend the bundled embedding model
    (extra `local`). The first start makes a key: it is in the printed commands and in DATA_DIR/dev-key.
    """
    # Imported here: none of it is of use to `gateway --help`. Workers begin to load before the supervisor does.
    from gateway.processes.nursery import Nursery  # noqa: PLC0415 - see above

    with Nursery() as nursery:
        _serve(nursery, config, host=host, port=port, workers=workers, data_dir=data_dir)


def _serve(nursery: Nursery, config: Path | None, **options: Any) -> None:  # noqa: ANN401 - what `override` takes
    from gateway.cli.load import config_path, load_config  # noqa: PLC0415 - see above
    from gateway.config.parse import override  # noqa: PLC0415 - see above
    from gateway.config.problem import ConfigError  # noqa: PLC0415 - see above
    from gateway.processes.problem import StartError  # noqa: PLC0415 - see above
    from gateway.processes.reload import Source  # noqa: PLC0415 - see above
    from gateway.processes.tree import serve as run  # noqa: PLC0415 - see above

    try:
        try:
            loaded = load_config(config)
        except OSError as error:
            unread = f"{error.filename}: cannot be read: {error.strerror}; check --config or $GATEWAY_CONFIG"
            typer.echo(unread, err=True)
            raise typer.Exit(UNREADABLE) from None

        def chosen(loaded: Loaded) -> Config:
            return override(loaded.config, **options)

        path = config_path(config)
        source = None if path is None else Source(path, lambda: chosen(load_config(path)))
        settings = chosen(loaded)
        for warning in loaded.warnings:
            typer.echo(f"warning: {warning}", err=True)
        run(settings, source=source, nursery=nursery)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    except StartError as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(FAILED) from None
