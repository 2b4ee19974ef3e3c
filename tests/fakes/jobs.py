"""P: batch jobs (ports.Jobs) in memory, which can be away; events and a watch that remember."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.ports.jobs import Batch, Order, State, Step, Tally, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.observe.tracing import Tracing
    from gateway.vocabulary import RequestTrace

NO_LINES = "The input has no lines"
NO_ANSWERS = "No line of the input was answered; the error file says why"


@dataclass
class Kept:
    """A job, which of its chunks is next, how many are done, and until when its steps are held."""

    batch: Batch
    tell: bool
    following: int = 0
    done: int = 0
    held: dict[tuple[Step, int], float] = field(default_factory=dict)
    tokens: dict[tuple[Step, int], str] = field(default_factory=dict)


@dataclass
class FakeJobs:
    """`down` makes every call fail; `served` are jobs in the order in which they are looked at."""

    now: Callable[[], float]
    down: bool = False
    kept: dict[str, Kept] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    taken: int = 0

    async def create(self, order: Order, total: int | None, most: int) -> bool:
        self._check()
        own = [kept for kept in self.kept.values() if kept.batch.order.tenant == order.tenant]
        if sum(not kept.batch.state.ended for kept in own) >= most:
            return False
        self.kept[order.id] = Kept(Batch(order, total=total), bool(order.webhook_url))
        self.served.append(order.id)
        return True

    async def get(self, name: str) -> Batch | None:
        self._check()
        return self.kept[name].batch if name in self.kept else None

    async def newest(self, tenant: str | None, limit: int) -> list[Batch]:
        self._check()
        found = [kept.batch for kept in self.kept.values() if tenant in {None, kept.batch.order.tenant}]
        return sorted(found, key=lambda batch: (-batch.order.created, batch.order.id))[:limit]

    async def end(self, name: str, state: State, error: str = "") -> bool:
        self._check()
        if name not in self.kept or self.kept[name].batch.state.ended:
            return False
        self._finish(self.kept[name], state, error)
        return True

    async def take(self, at_once: int, lease_seconds: float) -> Turn | None:
        self._check()
        for name in list(self.served):
            kept = self.kept[name]
            step = self._step(kept, at_once)
            if step is None:
                continue
            kept.held[step] = self.now() + lease_seconds
            self.served.remove(name)
            self.served.append(name)
            begun = kept.batch.state is State.PENDING and step[0] is not Step.EXPIRE
            self.taken += 1
            token = kept.tokens[step] = str(self.taken)
            turn = Turn(kept.batch, step[0], step[1], begun=begun, token=token)
            if begun:
                kept.batch = replace(kept.batch, state=State.PROCESSING)
            return turn
        return None

    async def keep(self, turn: Turn, lease_seconds: float) -> State | None:
        self._check()
        kept, step = self._mine(turn)
        if step is None:
            return None
        kept.held[step] = self.now() + lease_seconds
        return kept.batch.state

    async def put_off(self, turn: Turn, seconds: float) -> None:
        self._check()
        kept, step = self._mine(turn)
        if step is not None:
            kept.held[step] = self.now() + seconds
            if kept.batch.state.ended and turn.step in {Step.PREPARE, Step.CHUNK}:
                del kept.held[step]

    async def prepared(self, turn: Turn, chunks: int, total: int) -> State | None:
        self._check()
        kept, step = self._mine(turn)
        if step is None:
            return None
        del kept.held[step]
        kept.batch = replace(kept.batch, chunks=chunks, total=total)
        if not chunks and not kept.batch.state.ended:
            self._finish(kept, State.FAILED, NO_LINES)
        return kept.batch.state

    async def done(self, turn: Turn, tally: Tally) -> State | None:
        self._check()
        kept, step = self._mine(turn)
        if step is None:
            return None
        del kept.held[step]
        was = kept.batch.tally
        total = Tally(was.completed + tally.completed, was.failed + tally.failed, was.tokens + tally.tokens)
        kept.batch = replace(kept.batch, tally=total)
        kept.done += 1
        if not kept.batch.state.ended and kept.done == kept.batch.chunks:
            good = total.completed > 0
            self._finish(kept, State.COMPLETED if good else State.FAILED, "" if good else NO_ANSWERS)
        return kept.batch.state

    async def settled(self, turn: Turn) -> None:
        self._check()
        kept, step = self._mine(turn)
        if step is None:
            return
        if turn.step is Step.TELL:
            kept.tell = False
            del kept.held[step]
            return
        if not kept.batch.state.ended:
            self._finish(kept, State.EXPIRED, "")
        kept.batch = replace(kept.batch, state=State.EXPIRED)
        kept.held.clear()

    def _mine(self, turn: Turn) -> tuple[Kept, tuple[Step, int] | None]:
        kept, step = self.kept[turn.batch.order.id], (turn.step, turn.chunk)
        return kept, step if step in kept.held and kept.tokens[step] == turn.token else None

    def _step(self, kept: Kept, at_once: int) -> tuple[Step, int] | None:
        batch, now = kept.batch, self.now()
        free = {step for step, till in kept.held.items() if till <= now}
        only: tuple[Step, int] | None = None
        if now >= batch.order.expires and batch.state is not State.EXPIRED:
            only = (Step.EXPIRE, 0)
        elif batch.state.ended:
            only = (Step.TELL, 0) if kept.tell else None
        elif batch.chunks is None:
            only = (Step.PREPARE, 0)
        elif len(kept.held) - len(free) < at_once:
            if free:
                return min(free, key=lambda step: (kept.held[step], step[1]))
            if kept.following < batch.chunks:
                kept.following += 1
                return (Step.CHUNK, kept.following - 1)
        return only if only is not None and (only not in kept.held or only in free) else None

    def _finish(self, kept: Kept, state: State, error: str) -> None:
        kept.batch = replace(kept.batch, state=state, ended=int(self.now()), error=error)
        kept.held = {step: till for step, till in kept.held.items() if till > self.now()}

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")


@dataclass
class FakeEvents:
    """`failures` posts fail first; `got` are tenant, address, event and body of the others."""

    failures: int = 0
    got: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    async def posted(self, tenant: str, url: str, event: str, body: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("down")
        self.got.append((tenant, url, event, body))


@dataclass
class FakeWatch:
    moves: list[tuple[str, State, str]] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    tracing: Tracing | None = None

    def trace(self) -> RequestTrace | None:
        return None if self.tracing is None else self.tracing.own()

    def moved(self, order: Order, state: State, error: str = "") -> None:
        self.moves.append((order.id, state, error))

    def lines(self, tally: Tally) -> None:
        self.tallies.append(tally)

    def trouble(self, order: Order | None, error: Exception) -> None:
        self.troubles.append(f"{order.id if order else ''} {type(error).__name__}")
