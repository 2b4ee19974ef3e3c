"""C: works off jobs, a turn at a time in each slot; whatever becomes of a worker, its turns are taken up by another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import StoreError
from gateway.jobs.holding import Hold, PutOff
from gateway.jobs.lifecycle import JobFailed, folder
from gateway.ports.jobs import State, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.config.job_bounds import JobBounds
    from gateway.jobs.chunk import Chunks
    from gateway.jobs.prepare import Preparation
    from gateway.jobs.telling import Telling
    from gateway.ports import Clock
    from gateway.ports.files import Files
    from gateway.ports.jobs import Jobs, JobWatch, Order, Turn
    from gateway.tasks import TaskGroup

POLL_SECONDS = 1.0
AGAIN_SECONDS = 5.0
"""After a step failed for a reason that is not the job's."""

MARKS = 30
"""Times, a second apart, that a result is told to a store that does not answer."""

T = TypeVar("T")


class Runner:
    """One for a worker. A turn is held by heartbeats, and given back when the worker stops."""

    def __init__(  # noqa: PLR0913 - the composition root hands over each part by name, once
        self,
        *,
        jobs: Jobs,
        files: Files,
        preparation: Preparation,
        chunks: Chunks,
        telling: Telling,
        settings: Callable[[], JobBounds],
        clock: Clock,
        tasks: TaskGroup,
        watch: JobWatch,
    ) -> None:
        self._jobs = jobs
        self._files = files
        self._preparation = preparation
        self._chunks = chunks
        self._telling = telling
        self._settings = settings
        self._clock = clock
        self._tasks = tasks
        self._watch = watch
        self._holds: set[Hold] = set()
        self._slots: list[asyncio.Task[None]] = []
        self._rests: set[asyncio.Task[None]] = set()
        self._leaving = False

    def start(self) -> list[asyncio.Task[None]]:
        """The tasks that run until they are cancelled, or `drain` ends them."""
        self._slots = [self._tasks.spawn(self._slot(), f"job slot {at}") for at in range(self._settings().slots)]
        return [*self._slots, self._tasks.spawn(self._keep(), "hold job turns")] if self._slots else []

    async def drain(self, seconds: float) -> None:
        """Take nothing more; what is being answered may end within that time, the rest is given back at once."""
        self._leaving = True
        for hold in self._holds:
            hold.leaving = True
        for rest in self._rests:
            rest.cancel()
        if self._slots:
            await asyncio.wait(self._slots, timeout=seconds)
        running = [hold.task for hold in self._holds if hold.task is not None]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _slot(self) -> None:
        while not self._leaving:
            turn = await self._take()
            if turn is not None:
                await self._have(turn)
            elif not self._leaving:
                await self._rest()

    async def _rest(self) -> None:
        """Wait until there may be another turn, or this worker leaves."""
        rest = self._tasks.spawn(self._clock.sleep(POLL_SECONDS), "job slot's rest", watching=True)
        self._rests.add(rest)
        rest.add_done_callback(self._rests.discard)
        await asyncio.wait([rest])

    async def _take(self) -> Turn | None:
        settings = self._settings()
        try:
            return await self._jobs.take(settings.concurrency, settings.lease_seconds)
        except StoreError as error:
            self._watch.trouble(None, error)
            return None

    async def _have(self, turn: Turn) -> None:
        """Do a turn in a task of its own, which may be cancelled when the turn is somebody else's."""
        hold = Hold(turn, State.PROCESSING if turn.begun else turn.batch.state, self._leaving)
        if turn.begun:
            self._watch.moved(turn.batch.order, State.PROCESSING)
        task = hold.task = self._tasks.spawn(self._do(hold), "job turn")
        self._holds.add(hold)
        try:
            await asyncio.wait([task])
        finally:
            self._holds.discard(hold)
            task.cancel()

    async def _do(self, hold: Hold) -> None:
        turn = hold.turn
        try:
            await self._step(hold)
        except PutOff as later:
            await self._give_back(turn, later.seconds)
        except JobFailed as failure:
            await self._fail(hold, failure.message)
            await self._give_back(turn, 0)
        except asyncio.CancelledError:
            await self._give_back(turn, 0)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the turn must come back
            self._watch.trouble(turn.batch.order, error)
            await self._give_back(turn, AGAIN_SECONDS)

    async def _step(self, hold: Hold) -> None:
        turn, order = hold.turn, hold.turn.batch.order
        match turn.step:
            case Step.PREPARE:
                chunks, total = await self._preparation.run(hold)
                state = await self._mark(hold, lambda: self._jobs.prepared(turn, chunks, total))
                self._moved(hold, order, state)
            case Step.CHUNK:
                await self._chunk(hold)
            case Step.TELL:
                await self._telling.tell(turn.batch)
                await self._jobs.settled(turn)
            case Step.EXPIRE:
                await self._files.delete(folder(order.id))
                await self._jobs.settled(turn)
                self._watch.moved(order, State.EXPIRED)

    async def _chunk(self, hold: Hold) -> None:
        tally, why = await self._chunks.run(hold)
        if why:
            await self._fail(hold, why)
        state = await self._mark(hold, lambda: self._jobs.done(hold.turn, tally))
        if state is not None:
            self._watch.lines(tally)
            self._moved(hold, hold.turn.batch.order, state)

    async def _fail(self, hold: Hold, message: str) -> None:
        order = hold.turn.batch.order
        if await self._mark(hold, lambda: self._jobs.end(order.id, State.FAILED, message)):
            hold.state = State.FAILED
            self._watch.moved(order, State.FAILED, message)

    def _moved(self, hold: Hold, order: Order, state: State | None) -> None:
        """Tell of an end that this very step made."""
        if state in {State.COMPLETED, State.FAILED} and not hold.state.ended:
            self._watch.moved(order, state)

    async def _mark(self, hold: Hold, mark: Callable[[], Awaitable[T]]) -> T:
        """Tell the store a result, and again while it is away: what was paid for should not be asked again."""
        for _ in range(MARKS):
            try:
                return await mark()
            except StoreError as error:
                if hold.leaving:
                    raise
                self._watch.trouble(hold.turn.batch.order, error)
                await self._clock.sleep(POLL_SECONDS)
        return await mark()

    async def _give_back(self, turn: Turn, seconds: float) -> None:
        try:
            await self._jobs.put_off(turn, seconds)
        except StoreError as error:  # then its lease ends
            self._watch.trouble(turn.batch.order, error)

    async def _keep(self) -> None:
        """Heartbeats. A turn that is somebody else's by now, or whose job is no more, is dropped."""
        while True:
            lease = self._settings().lease_seconds
            await self._clock.sleep(lease / 3)
            for hold in tuple(self._holds):
                try:
                    state = await self._jobs.keep(hold.turn, lease)
                except StoreError:  # the one who needs it says so
                    continue
                if state is None or (state is State.EXPIRED and hold.turn.step is Step.CHUNK):
                    if hold in self._holds and hold.task is not None:
                        hold.task.cancel()
                else:
                    hold.state = state
