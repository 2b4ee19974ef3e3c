"""E: the `gateway` command; its modules import what they need inside the command, so that help stays fast."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer

COMMANDS = (
    "gateway.cli.serve",
    "gateway.cli.check",
    "gateway.cli.doctor",
    "gateway.cli.top",
    "gateway.cli.limits",
    "gateway.cli.backends",
    "gateway.cli.cache",
    "gateway.cli.usage",
    "gateway.cli.balance",
    "gateway.cli.tenants",
    "gateway.cli.keys",
    "gateway.cli.audit",
    "gateway.cli.backup",
    "gateway.cli.restore",
    "gateway.cli.webhooks",
    "gateway.cli.jobs",
)
"""One module a command; it exports a function of its own name, or a group of commands."""


def main() -> None:
    """Run the command line (the console script). Of a command that is named first no other is loaded."""
    named = tuple(module for module in COMMANDS if sys.argv[1:2] == [module.rpartition(".")[2]])
    build(named or COMMANDS)(prog_name="gateway")


def build(modules: tuple[str, ...]) -> typer.Typer:
    """The command line made of these modules."""
    # A local variable may hold a key: tracebacks never show them.
    program = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
    program.callback()(_gateway)
    for module in modules:
        name = module.rpartition(".")[2]
        command = getattr(import_module(module), name)
        if isinstance(command, typer.Typer):
            program.add_typer(command, name=name)
        else:
            program.command(name)(command)
    return program


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from importlib import metadata  # noqa: PLC0415 - 20 ms that only this option takes

        typer.echo(f"gateway {metadata.version('gateway')}")
        raise typer.Exit


def _gateway(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """A rate-limiting, caching gateway for the Jina Search Foundation API and for local backends."""
