"""C: answers one chunk of a job through the pipeline, as calls of its tenant's that nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from gateway.errors import Code, GatewayError, StoreError, internal_error
from gateway.jobs.holding import PutOff
from gateway.jobs.lifecycle import Fail, Halve, JobFailed, Wait, caller_of, part, verdict
from gateway.jobs.lines import EMBEDDINGS, answered, call_body, kept, refused
from gateway.ports.jobs import Tally
from gateway.vocabulary import Call, Facts, Lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.jobs.holding import Hold
    from gateway.jobs.lines import Line
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock, Observer
    from gateway.ports.files import Files
    from gateway.ports.jobs import JobWatch, Order
    from gateway.vocabulary import Caller, Json

_NAP = 1.0
"""Seconds after which a wait looks whether it still makes sense."""

KEY_GONE = "The API key that made the job is not valid any more"


@dataclass(slots=True)
class _Work:
    """A chunk's lines, and by position what was found for them."""

    hold: Hold
    order: Order
    options: dict[str, Json]
    lines: list[Line]
    embeddings: dict[int, Json] = field(default_factory=dict)
    errors: dict[int, GatewayError] = field(default_factory=dict)
    tokens: int = 0

    @property
    def request_id(self) -> str:
        """What its calls are called in logs and errors."""
        return f"{self.order.id}.{self.hold.turn.chunk}"


class Chunks:
    """One for a worker."""

    def __init__(self, pipeline: Pipeline, files: Files, clock: Clock, observer: Observer, watch: JobWatch) -> None:
        self._pipeline = pipeline
        self._files = files
        self._clock = clock
        self._observer = observer
        self._watch = watch

    async def run(self, hold: Hold) -> tuple[Tally, str]:
        """Answer the chunk and put its results into files: what is in them, and why the job is over, if it is.

        Results that a worker left that died before it could say so are taken as they are.

        Raises:
            PutOff: nothing of it could be answered yet, or the worker stops; what was answered is in the cache.
            JobFailed: nothing of it was answered, and the job is over.
            StoreError: of the files.
        """
        order, chunk = hold.turn.batch.order, hold.turn.chunk
        left = await self._files.get(part(order.id, "tally", chunk))
        if left is not None:
            return Tally(*orjson.loads(left)), ""
        content = await self._files.get(part(order.id, "input", chunk))
        if content is None:
            raise JobFailed("The job's input is gone")
        options = orjson.loads(order.options)
        work = _Work(hold, order, options, kept(content, order.model, options, self._pipeline.snapshot))
        work.errors.update({at: line.error for at, line in enumerate(work.lines) if line.error is not None})
        why = ""
        try:
            await self._fill(work)
        except JobFailed as failure:
            if not work.embeddings:
                raise
            why = failure.message
        return await self._put(work), why

    async def _fill(self, work: _Work) -> None:
        """Ask for everything, in halves where that helps; less, if the job ends meanwhile."""
        rest = [[at for at in range(len(work.lines)) if at not in work.errors]]
        tries = 0
        while rest and rest[-1]:
            if not work.hold.goes_on:
                if work.hold.leaving or not work.embeddings:
                    raise PutOff(0)
                return
            part = rest.pop()
            try:
                await self._ask(work, part)
            except GatewayError as error:
                tries += 1
                rest += await self._after(work, part, error, tries)
            else:
                tries = 0

    async def _after(self, work: _Work, part: list[int], error: GatewayError, tries: int) -> list[list[int]]:
        """What is to be asked instead, the next one last."""
        match verdict(error, len(part), tries, self._clock.random()):
            case Wait(seconds, elsewhere):
                if elsewhere and not work.embeddings:
                    raise PutOff(seconds)
                await self._wait(work.hold, seconds)
                return [part]
            case Halve():
                half = len(part) // 2
                return [part[half:], part[:half]]
            case Fail():
                raise JobFailed(error.message)
            case _:
                work.errors[part[0]] = error
                return []

    async def _wait(self, hold: Hold, seconds: float) -> None:
        while seconds > 0 and hold.goes_on:
            await self._clock.sleep(min(seconds, _NAP))
            seconds -= _NAP

    async def _ask(self, work: _Work, part: Sequence[int]) -> None:
        caller = caller_of(self._pipeline.snapshot, work.order, self._clock.epoch())
        if caller is None:
            raise JobFailed(KEY_GONE)
        body = call_body(work.order.model, work.options, [work.lines[at].item for at in part])
        facts = Facts(EMBEDDINGS.name, work.request_id, trace=self._watch.trace())
        started = self._clock.monotonic()
        try:
            reply = await self._pipeline.serve(EMBEDDINGS, self._call(body, caller, work.request_id), facts)
        except (GatewayError, StoreError) as error:
            _failed(facts, error.code if isinstance(error, GatewayError) else Code.SERVICE_UNAVAILABLE)
            raise
        except Exception as error:  # a defect of ours may be one line's doing: the others are to have their answers
            _failed(facts, Code.INTERNAL_ERROR)
            self._watch.trouble(work.order, error)
            raise internal_error() from error
        self._observer.request(facts, self._clock.monotonic() - started, None)
        content = orjson.loads(reply.body if reply.pieces is None else b"".join(reply.pieces))
        work.tokens += content["usage"]["total_tokens"]
        for entry in content["data"]:
            work.embeddings[part[entry["index"]]] = entry["embedding"]
        for entry in content.get("errors", ()):
            work.errors[part[entry["index"]]] = GatewayError(Code(entry["code"]), entry["message"])

    def _call(self, body: bytes, caller: Caller, request_id: str) -> Call:
        async def read() -> bytes:
            return body

        seconds = self._pipeline.snapshot.config.server.timeout
        deadline = self._clock.monotonic() + seconds
        return Call(read, None, "", request_id, deadline, timeout=seconds, partial=True, lane=Lane.BULK, caller=caller)

    async def _put(self, work: _Work) -> Tally:
        """The tally goes last: where it is, the others are."""
        name, chunk, lines = work.order.id, work.hold.turn.chunk, work.lines
        output = [answered(lines[at], work.order.model, work.embeddings[at]) for at in sorted(work.embeddings)]
        errors = [refused(lines[at], work.errors[at], work.request_id) for at in sorted(work.errors)]
        for kind, written in (("output", output), ("errors", errors)):
            if written:
                await self._files.put(part(name, kind, chunk), b"".join(written))
        tally = Tally(len(output), len(errors), work.tokens)
        await self._files.put(part(name, "tally", chunk), orjson.dumps([tally.completed, tally.failed, tally.tokens]))
        return tally


def _failed(facts: Facts, code: Code) -> None:
    """A call that is tried again, or given up, is in its trace alone: no client was answered."""
    if facts.trace is not None:
        facts.trace.answered(facts, code.value, 0)
