"""E: `python -m gateway.processes.worker` is one worker: it reads its Launch and serves on a shared socket."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.launch import Launch, News
from gateway.leasing.seat import Seat
from gateway.processes import zygote
from gateway.processes.lean import import_lean
from gateway.processes.leash import announce_ready, follow_parent, parent_ended
from gateway.processes.libraries import installed_misfits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.app import Update
    from gateway.config.schema import Config
    from gateway.config.snapshot import Snapshot


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM. Secrets come through standard input, file descriptors by number."""
    parser = argparse.ArgumentParser(prog="python -m gateway.processes.worker", description=__doc__)
    parser.add_argument("--listen-fd", type=int, required=True, help="the listening socket, inherited")
    parser.add_argument("--admin-fd", type=int, help="the admin API's listening socket, inherited")
    parser.add_argument("--ready-fd", type=int, required=True, help="where to say that this worker serves")
    parser.add_argument("--parent", type=int, required=True, help="process id of the supervisor")
    options = parser.parse_args(arguments)
    lines = _lines(sys.stdin.fileno())
    launch = Launch.from_json(next(lines))
    follow_parent(options.parent, watch=False)
    if launch.metrics_dir is not None:
        _share_metrics(launch.metrics_dir)
    listeners = [_inherited(number) for number in (options.listen_fd, options.admin_fd) if number is not None]
    _run(launch, lines, listeners, options.ready_fd)


def _share_metrics(folder: str) -> None:
    """Have prometheus_client keep its values there; it chooses that when it is imported, which a zygote has done."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    values = sys.modules.get("prometheus_client.values")
    if values is not None:
        values.ValueClass = values.get_value_class()  # type: ignore[attr-defined] # as at its import


def load() -> None:
    """Import what every worker needs, and read the vocabulary that nearly every one counts with."""
    import_lean()
    for module in ("uvloop", "gateway.app", "gateway.config.compile"):
        importlib.import_module(module)
    byte_pairs = importlib.import_module("gateway.tokens.byte_pairs").byte_pairs
    byte_pairs(importlib.import_module("gateway.admit.estimate").YARDSTICK.value)


def _inherited(number: int) -> socket.socket:
    listener = socket.socket(fileno=number)
    listener.settimeout(0)
    return listener


def _run(launch: Launch, lines: Iterator[str], listeners: list[socket.socket], ready_fd: int) -> None:
    import_lean()
    # Imported late: prometheus_client chooses its value store when it is first imported.
    import uvloop  # noqa: PLC0415 - see above

    from gateway.app import Update, run_worker  # noqa: PLC0415 - see above
    from gateway.authenticate import digest  # noqa: PLC0415 - see above
    from gateway.config.compile import compile_snapshot  # noqa: PLC0415 - see above

    if unfit := installed_misfits():
        sys.exit("\n".join(f"gateway: {sentence}" for sentence in unfit))

    def compiled(config: Config) -> Snapshot:
        return compile_snapshot(
            config,
            secret=launch.secret,
            digest=digest,
            issued={address: (tenant, key_id) for address, tenant, key_id in launch.issued},
            embedded_url=launch.embedded_url,
        )

    def follow(take: Callable[[Update], object]) -> None:
        def took(news: News) -> None:
            base = None if news.config is None else compiled(news.config)
            take(Update(base, news.stale, news.outcome if launch.worker == 0 else ""))

        threading.Thread(target=_read_news, args=(lines, took), name="news", daemon=True).start()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            run_worker(
                compiled(launch.config),
                launch.store_url,
                listeners,
                lambda: announce_ready(ready_fd),
                follow,
                seat=_seat(launch),
            )
        )


def _seat(launch: Launch) -> Seat:
    """A new name, left where the next worker of this place finds it."""
    file = Path(launch.config.server.data_dir) / "run" / f"worker-{launch.worker}.name"
    predecessor = file.read_text(encoding="ascii", errors="replace") if file.exists() else ""
    name = secrets.token_hex(16)
    file.write_text(name, encoding="ascii")
    return Seat(name, predecessor, launch.first_run)


def _lines(descriptor: int) -> Iterator[str]:
    """Lines as they come. Not by sys.stdin, whose lock a thread that waits for a line would hold at the exit."""
    rest = b""
    while chunk := os.read(descriptor, 65_536):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode()


def _read_news(lines: Iterator[str], take: Callable[[News], None]) -> None:
    """Take every further line on standard input."""
    for line in lines:
        take(News.from_json(line))
    parent_ended()


if __name__ == "__main__":
    main(zygote.serve(int(sys.argv[2]), int(sys.argv[3]), load) if sys.argv[1] == zygote.FLAG else None)
