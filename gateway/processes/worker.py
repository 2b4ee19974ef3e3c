"""E: `python -m gateway.processes.worker` is one worker: it reads its Launch and serves on a shared socket."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys

from gateway.launch import Launch
from gateway.processes.leash import announce_ready, follow_parent


def main() -> None:
    """Serve until SIGTERM. Secrets come through standard input, file descriptors by number."""
    parser = argparse.ArgumentParser(prog="python -m gateway.processes.worker", description=__doc__)
    parser.add_argument("--listen-fd", type=int, required=True, help="the listening socket, inherited")
    parser.add_argument("--admin-fd", type=int, help="the admin API's listening socket, inherited")
    parser.add_argument("--ready-fd", type=int, required=True, help="where to say that this worker serves")
    parser.add_argument("--parent", type=int, required=True, help="process id of the supervisor")
    options = parser.parse_args()
    launch = Launch.from_json(sys.stdin.readline())
    follow_parent(options.parent)
    if launch.metrics_dir is not None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = launch.metrics_dir  # read when prometheus_client is imported
    listeners = [_inherited(number) for number in (options.listen_fd, options.admin_fd) if number is not None]
    _run(launch, listeners, options.ready_fd)


def _inherited(number: int) -> socket.socket:
    listener = socket.socket(fileno=number)
    listener.settimeout(0)
    return listener


def _run(launch: Launch, listeners: list[socket.socket], ready_fd: int) -> None:
    # Imported late: prometheus_client chooses its value store when it is first imported.
    import uvloop  # noqa: PLC0415 - see above

    from gateway.app import run_worker  # noqa: PLC0415 - see above
    from gateway.authenticate import digest  # noqa: PLC0415 - see above
    from gateway.config.compile import compile_snapshot  # noqa: PLC0415 - see above

    snapshot = compile_snapshot(
        launch.config,
        secret=launch.secret,
        digest=digest,
        issued={address: (tenant, key_id) for address, tenant, key_id in launch.issued},
        embedded_url=launch.embedded_url,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_worker(snapshot, launch.store_url, listeners, lambda: announce_ready(ready_fd)))


if __name__ == "__main__":
    main()
