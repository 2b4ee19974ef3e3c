"""E: `gateway top`: what a running gateway does now, on a terminal that keeps itself up to date."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

TOKEN_VARIABLE = "GATEWAY_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
FAILED = 1

_SECONDS = 10.0
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - recognised, not bound


class UnansweredError(Exception):
    """The gateway did not tell, and why."""


def top(
    *,
    url: Annotated[
        str | None, typer.Option(help="Of the admin listener; by default what the configuration says.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"Holds the admin token; by default ${TOKEN_VARIABLE}, else the configuration's."),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Plain lines, once; so it is without a terminal, too.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")] = None,
) -> None:
    """Rates, hit share, latencies, the limits that are used most, backends and the busiest tenants, as they are now.

    Figures are of all workers of all gateways on the store: rates of the last 15 seconds, latencies of the last minute.
    q or Ctrl-C leaves.
    """
    address, token = _whom(url, token_file, config)
    try:
        if once or not sys.stdout.isatty():
            asyncio.run(_print_once(address, token))
        else:
            asyncio.run(_watch(address, token, interval))
    except UnansweredError as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(FAILED) from None


def _whom(url: str | None, token_file: Path | None, config: Path | None) -> tuple[str, str]:
    """The admin listener's address and token, from options, environment and configuration, in this order."""
    from gateway.cli.store import settings  # noqa: PLC0415 - `gateway --help` needs none of this

    try:
        token = token_file.read_text().strip() if token_file else os.environ.get(TOKEN_VARIABLE, "")
    except OSError as error:
        raise _unusable(f"{error.filename}: {error.strerror}") from None
    if url is None or not token:
        admin = settings(config, None).admin
        token = token or admin.token or ""
        if url is None and admin.port:
            url = f"http://{_LOCAL.get(admin.host, admin.host)}:{admin.port}"
    if url is None:
        raise _unusable("no admin listener is known; name its --url, or set admin.port in the configuration")
    if not token:
        raise _unusable(f"no admin token; set {TOKEN_VARIABLE}, or name a --token-file")
    return url.rstrip("/"), token


def _unusable(sentence: str) -> typer.Exit:
    typer.echo(f"gateway: {sentence}", err=True)
    return typer.Exit(FAILED)


async def _print_once(url: str, token: str) -> None:
    from gateway.cli.top_screen import plain  # noqa: PLC0415 - as above

    async with _session(token) as http:
        for line in plain(await _ask(http, url)):
            typer.echo(line)


async def _watch(url: str, token: str, interval: float) -> None:
    """Until q, Ctrl-C or SIGTERM; the terminal is then as it was. Raises UnansweredError at the first look only."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.live import Live  # noqa: PLC0415 - as above

    from gateway.cli.top_screen import screen  # noqa: PLC0415 - as above

    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leaving.set)
    async with _session(token) as http:
        told, problem = await _ask(http, url), ""
        with _keys(leaving), Live(console=Console(), screen=True, auto_refresh=False) as live:
            while True:
                live.update(screen(told, url, problem), refresh=True)
                try:
                    await asyncio.wait_for(leaving.wait(), interval)
                except TimeoutError:
                    pass
                else:
                    return
                try:
                    told, problem = await _ask(http, url), ""
                except UnansweredError as error:
                    problem = str(error)


@contextmanager
def _keys(leaving: asyncio.Event) -> Iterator[None]:
    """Keys are read one by one while the block runs, and not shown."""
    import termios  # noqa: PLC0415 - only a terminal has it
    import tty  # noqa: PLC0415 - as above

    if not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def pressed() -> None:
        if os.read(keyboard, 64).lower()[:1] in {b"q", b""}:
            leaving.set()

    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(keyboard)
        loop.add_reader(keyboard, pressed)
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _session(token: str) -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 - as above

    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=timeout)


async def _ask(http: aiohttp.ClientSession, url: str) -> Any:  # noqa: ANN401 - JSON
    """What the gateway tells. Raises UnansweredError."""
    import aiohttp  # noqa: PLC0415 - as above

    try:
        async with http.get(f"{url}/admin/live", allow_redirects=False) as answer:
            content = await answer.json(content_type=None) if answer.content_type == "application/json" else {}
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise UnansweredError(f"{url} does not answer ({type(error).__name__}); is this the admin listener?") from None
    if status != 200 or "minute" not in content:  # noqa: PLR2004 - HTTP's OK
        said = content.get("detail") if isinstance(content, dict) else None
        raise UnansweredError(f"{url}/admin/live answers {status}: {said or 'this is no admin listener of a gateway'}")
    return content
