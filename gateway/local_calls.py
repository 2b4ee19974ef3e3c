"""C: the life of a call that this process answers by itself: no model, no cache, no tokens; limits as everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gateway.admit.meters import meters_of
from gateway.authenticate import as_address
from gateway.errors import GatewayError
from gateway.vocabulary import Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.admit.reservation import Admission
    from gateway.config.snapshot import Snapshot
    from gateway.pipeline import Pipeline
    from gateway.vocabulary import Call, Caller, Facts

R = TypeVar("R")


class LocalCalls:
    """Recognises, admits, times and counts; `count` gets the facts of every answered call, for the ledger."""

    def __init__(self, pipeline: Pipeline, admission: Admission, count: Callable[[Facts], None]) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._count = count

    async def serve(
        self, call: Call, facts: Facts, read: Callable[[], Awaitable[R]], answer: Callable[[R], Awaitable[bytes]]
    ) -> bytes:
        """The body of the answer: what `answer` makes of what `read` found, which is checked before limits are.

        Raises:
            GatewayError: what the client is to be told instead.
        """
        snapshot = self._pipeline.snapshot
        caller = await self._caller(snapshot, call, facts)
        return await self._served(snapshot, caller, call, facts, read=read, answer=answer)

    async def serve_known(
        self, call: Call, facts: Facts, answer: Callable[[Snapshot, Caller, Call], Awaitable[bytes]]
    ) -> bytes:
        """The same for calls that want a key: `answer` is told whose it is, and what the call may still take.

        Raises:
            GatewayError: what the client is to be told instead.
        """
        snapshot = self._pipeline.snapshot
        caller = await self._pipeline.authenticate(snapshot, call, facts)
        call = call.within(caller.timeout)

        async def read() -> None:
            """Nothing: these calls have no body."""

        async def known(_: None) -> bytes:
            return await answer(snapshot, caller, call)

        return await self._served(snapshot, caller, call, facts, read=read, answer=known)

    async def _served(  # noqa: PLR0913 - what both ways to serve have in common
        self,
        snapshot: Snapshot,
        caller: Caller,
        call: Call,
        facts: Facts,
        *,
        read: Callable[[], Awaitable[R]],
        answer: Callable[[R], Awaitable[bytes]],
    ) -> bytes:
        call = call.within(caller.timeout)
        try:
            body = await self._pipeline.in_time(
                call, self._serve(snapshot, caller, call, facts, read=read, answer=answer)
            )
        except GatewayError:
            if facts.remaining is None:
                facts.remaining = await self._admission.remaining(caller.meters)
            raise
        self._count(facts)
        return body

    async def _serve(  # noqa: PLR0913 - one stretch of `_served`, apart so that a deadline can end it
        self,
        snapshot: Snapshot,
        caller: Caller,
        call: Call,
        facts: Facts,
        *,
        read: Callable[[], Awaitable[R]],
        answer: Callable[[R], Awaitable[bytes]],
    ) -> bytes:
        with self._pipeline.stage(facts, Stage.VALIDATE):
            wanted = await read()
        facts.items = 1
        meters = meters_of(snapshot, caller, facts.endpoint, "", call.client)
        async with self._admission.reserve(meters, facts):
            with self._pipeline.stage(facts, Stage.ASSEMBLE):
                return await answer(wanted)

    async def _caller(self, snapshot: Snapshot, call: Call, facts: Facts) -> Caller:
        """Who asks: whose key it is, else a client address, where the tier for those names the endpoint.

        A key that is passed through is checked by the backend, and here is none: such a caller is an address, too.
        """
        if call.credentials is not None and snapshot.passthrough is None:
            return await self._pipeline.authenticate(snapshot, call, facts)
        return as_address(snapshot, call, facts)
