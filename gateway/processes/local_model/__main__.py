"""E: `python -m gateway.processes.local_model` serves the bundled model on a unix socket or a TCP port."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from pathlib import Path

from aiohttp import web

from gateway.processes.leash import announce_ready, follow_parent
from gateway.processes.local_model.engine import Engine
from gateway.processes.local_model.server import ModelServer


def main() -> None:
    """Parse the command line, load the model, serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.processes.local_model",
        description="all-MiniLM-L6-v2 behind text-embeddings-inference's routes: /embed, /rerank, /v1/embeddings.",
    )
    parser.add_argument("--socket", type=Path, help="unix socket to listen on; else --host and --port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8081, help="TCP port (default %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of one inference (default: all cores but one, at most 4)")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.parent is not None:
        follow_parent(options.parent)
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, options.socket)
    runner = web.AppRunner(
        ModelServer(Engine(options.threads)).application(), handler_cancellation=True, access_log=None
    )
    await runner.setup()
    site: web.BaseSite
    if options.socket is None:
        site = web.TCPSite(runner, options.host, options.port)
    else:
        options.socket.unlink(missing_ok=True)
        site = web.UnixSite(runner, options.socket)
    await site.start()
    if options.socket is not None:
        options.socket.chmod(0o600)
    if options.ready_fd is not None:
        announce_ready(options.ready_fd)
    await asyncio.Event().wait()


def _stop(socket: Path | None) -> None:
    """End at once: an inference in its thread can't be interrupted, and nothing here needs saving."""
    if socket is not None:
        with contextlib.suppress(OSError):
            socket.unlink()
    os._exit(0)


if __name__ == "__main__":
    main()
