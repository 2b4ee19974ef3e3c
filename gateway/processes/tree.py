"""E: what `gateway serve` starts, in which order, and what it says then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.defaults import wants_embedded_model, with_defaults
from gateway.config.serving import served_models
from gateway.launch import Launch, News
from gateway.processes.banner import Facts, banner, examples, without_password
from gateway.processes.child import Program, executed
from gateway.processes.data_dir import DataDir
from gateway.processes.embedded_model import model_program, require_extra
from gateway.processes.embedded_store import EmbeddedStore, find_binary
from gateway.processes.lean import import_without
from gateway.processes.listener import ADMINISTERED, address, bind, listen
from gateway.processes.nursery import WORKER
from gateway.processes.processors import default_workers
from gateway.processes.reload import Reloader, Source
from gateway.processes.report import progress, say
from gateway.processes.rolling import Rolling
from gateway.processes.supervisor import Rank, Supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine

    from gateway.config.schema import Config
    from gateway.processes.child import Spawn
    from gateway.processes.credentials import Credentials
    from gateway.processes.nursery import Nursery

_GRACE = 7.0
"""Seconds a worker gets beyond the drain timeout: for idle connections' last calls (2), to settle and close (5)."""


def serve(
    config: Config, worker: tuple[str, ...] = WORKER, source: Source | None = None, nursery: Nursery | None = None
) -> None:
    """Start everything, print the banner on standard output, run until SIGTERM or SIGINT.

    Args:
        config: complete; only `server.data_dir` is written to.
        worker: the command of a worker, replaceable for tests.
        source: where `config` came from, to be followed; None to follow nothing.
        nursery: where the first workers come from, closed once they serve; None to execute each.

    Raises:
        StartError: something that is needed can't be had; nothing is left running.
    """
    began = time.monotonic()
    if wants_embedded_model(config):
        require_extra()
    binary = find_binary(os.environ) if config.store.url is None else None
    with (
        DataDir(Path(config.server.data_dir)) as data_dir,
        contextlib.closing(bind(config.server.host, config.server.port)) as listener,
        _admin_listener(config) as admin,
    ):
        store = None if binary is None else EmbeddedStore.place(data_dir, binary)
        # Workers still accept. Were it open here after them, who connects would wait for nobody, not be refused.
        supervisor = Supervisor(data_dir, listener.close)
        tree = Tree(config, data_dir, listener, admin, supervisor, store, worker, nursery)
        asyncio.run(supervisor.run(tree.start(began, source)))


def _admin_listener(config: Config) -> contextlib.AbstractContextManager[socket.socket | None]:
    if config.admin.port is None:
        return contextlib.nullcontext()
    return contextlib.closing(bind(config.admin.host, config.admin.port, ADMINISTERED))


@dataclass(frozen=True, slots=True)
class Tree:
    """One gateway's processes; `store` is None when the configuration names one, `admin` when it wants no such API."""

    config: Config
    data_dir: DataDir
    listener: socket.socket
    admin: socket.socket | None
    supervisor: Supervisor
    store: EmbeddedStore | None
    worker: tuple[str, ...]
    nursery: Nursery | None
    launches: list[Launch] = field(default_factory=list)
    endless: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, began: float, source: Source | None) -> None:
        """Store and model beside each other, workers as soon as the store is up; then the banner.

        From then on the configuration's file is followed, until the event loop ends.

        Raises:
            StartError: a part does not start.
        """
        embedded = self.data_dir.socket("model.sock") if wants_embedded_model(self.config) else None
        with progress("starting"):
            parts = [self._store_and_workers(None if embedded is None else f"unix:{embedded}")]
            if embedded is not None:
                parts.append(self.supervisor.add(model_program(embedded), Rank.MODEL))
            credentials = (await _together(parts))[0]
        names = [self._program(launch).name for launch in self.launches]
        Rolling(self.supervisor, names, self.data_dir, say).follow()
        if source is not None:
            reloader = Reloader(source, self.config, self._publish, say)
            self.endless.add(asyncio.get_running_loop().create_task(reloader.watch(), name="follow the configuration"))
        sys.stdout.write(banner(self._facts(credentials, time.monotonic() - began)))
        sys.stdout.flush()

    def _publish(self, news: News, config: Config) -> None:
        """Tell every worker, and see to it that those to come begin with the configuration in force."""
        for launch in self.launches:
            program = self._program(replace(launch, config=config), replace(news, outcome="", config=None))
            self.supervisor.renew(program, f"{news.to_json()}\n".encode())

    async def _store_and_workers(self, embedded_url: str | None) -> Credentials | None:
        import_without("redis.asyncio")
        from gateway.processes.credentials import prepare  # noqa: PLC0415 - redis-py loads while the children start

        if self.store is not None:
            if await self.store.end_leftover():
                say("ended a store that an earlier gateway had left behind")
            await self.supervisor.add(self.store.program(self.config.store.memory_limit), Rank.STORE)
        store_url = self.config.store.url if self.store is None else self.store.url
        credentials = await prepare(self.config, str(store_url), self.data_dir, say)
        listen(self.listener)
        if self.admin is not None:
            listen(self.admin, ADMINISTERED)
        count = self.config.server.workers or default_workers()
        metrics = str(self.data_dir.metrics()) if count > 1 else None
        self.launches.extend(
            Launch(
                config=self.config,
                secret=credentials.secret,
                issued=credentials.issued,
                store_url=str(store_url),
                embedded_url=embedded_url,
                worker=number,
                metrics_dir=metrics,
                first_run="" if self.store is None else credentials.store_run,
            )
            for number in range(count)
        )
        spawn: Spawn = executed if self.nursery is None else self.nursery.spawn
        await _together([self.supervisor.add(self._program(launch), Rank.WORKER, spawn) for launch in self.launches])
        if self.nursery is not None:
            self.nursery.close()
        return credentials

    def _program(self, launch: Launch, news: News | None = None) -> Program:
        lines = [launch.to_json()] if news is None else [launch.to_json(), news.to_json()]
        descriptor = self.listener.fileno()
        argv = (*self.worker, "--listen-fd", str(descriptor), "--parent", str(os.getpid()))
        admin = () if self.admin is None else (self.admin.fileno(),)
        return Program(
            name=f"worker-{launch.worker}",
            argv=argv if self.admin is None else (*argv, "--admin-fd", str(self.admin.fileno())),
            grace=self.config.server.drain_notice + self.config.server.drain_timeout + _GRACE,
            stdin="".join(f"{line}\n" for line in lines).encode(),
            pass_fds=(descriptor, *admin),
        )

    def _facts(self, credentials: Credentials | None, seconds: float) -> Facts:
        embeddings, rerank = examples(served_models(with_defaults(self.config)))
        model = "all-MiniLM-L6-v2 (int8), embedded" if wants_embedded_model(self.config) else None
        if self.store is None:
            store = without_password(str(self.config.store.url))
        else:
            binary = self.store.binary
            store = f"{binary.product.title()} {binary.version}, embedded, data in {self.store.folder}"
        return Facts(
            address=address(self.listener),
            admin=None if self.admin is None else address(self.admin),
            seconds=seconds,
            store=store,
            model=model,
            metrics=self.config.observe.metrics,
            embeddings=embeddings,
            rerank=rerank,
            key=None if credentials is None else credentials.dev_key,
            key_file=str(self.data_dir.dev_key),
            passthrough=self.config.server.authentication == "passthrough",
        )


async def _together(parts: list[Coroutine[None, None, Credentials | None]]) -> list[Credentials | None]:
    """The results of all parts, in order; the first failure cancels the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
