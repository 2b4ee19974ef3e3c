"""E: a client's connection: whole requests on the fast path where they may, all bytes in order to aiohttp else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway.edge.flow import Flow, Streamed
from gateway.edge.request_head import LONGEST
from gateway.fast.form import MOST_BYTES
from gateway.fast.ongoing import Ongoing
from gateway.fast.repeat import Candidate

if TYPE_CHECKING:
    import asyncio

    from gateway.edge.fast_calls import FastCalls, KnownHead
    from gateway.edge.hang_up import HangUp
    from gateway.edge.patience import Watch

_END = b"\r\n\r\n"
_UNKNOWN = -1
"""Bytes owed to aiohttp's parser when nobody but it can say where its request ends; the connection stays with it."""

_NEVER = float("inf")
_HELD_SECONDS = 0.05
"""Many clients send head and body apart. So long a request waits for its rest; then aiohttp waits."""

_QUEUED_BYTES = 65_536
"""Of what follows a request that waits; then no more is read."""


class Connection(web.RequestHandler):  # type: ignore[misc,type-arg,unused-ignore] # aiohttp marks it final for subclasses it cannot foresee; what is added stands before its parser and beside its error page
    """aiohttp's connection, in front of which requests whose form leaves no doubt may be answered at once.

    Its protocol errors are answered like all others, and a request may hear of its end. `candidate` is what may be
    learnt from the answer to the request that aiohttp was given last. `ongoing` is a call on the fast path that waits
    for its answer, or for its client to take it; what comes after it waits, too. `repeats` counts what was answered
    without aiohttp; that, `stirred` and `watch` are for deadlines.py.
    """

    __slots__ = (
        "_backlog",
        "_due",
        "_ends",
        "_held",
        "_owed",
        "_remote",
        "candidate",
        "fast",
        "hang_up",
        "ongoing",
        "repeats",
        "stirred",
        "watch",
    )
    hang_up: HangUp | None
    fast: FastCalls | None
    candidate: Candidate | None
    ongoing: Ongoing | Flow | None
    repeats: int
    stirred: bool
    watch: Watch | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.candidate = None
        self.ongoing = None
        self._backlog = bytearray()
        self._held = b""
        self._due: asyncio.TimerHandle | None = None
        self._owed = 0
        self._ends = False
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if isinstance(peer, tuple) else ""
        self.repeats, self.stirred, self.watch = 0, False, None
        super().connection_made(transport)
        server: Any = self._manager
        server.deadlines.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self._let_go()
        self._backlog.clear()
        ongoing, self.ongoing = self.ongoing, None
        super().connection_lost(exc)
        if ongoing is not None:
            ongoing.lost()
        if self.hang_up is not None:
            self.hang_up.lost()

    def data_received(self, data: bytes) -> None:
        """Bytes of one or more requests, or of a part of one."""
        self.stirred = True
        if self.ongoing is not None:
            self._queue(data)
            return
        if self.fast is None or self._owed or not data:  # aiohttp calls this itself with nothing, to go on parsing
            self._hand_over(data)
            return
        self.candidate = None
        if self._held:
            data = self._let_go() + data
        end = data.find(_END, 0, LONGEST) + len(_END)
        raw = data[:end]
        known = self.fast.known(raw) if end >= len(_END) else None
        if known is None:
            self._owed = _UNKNOWN
            super().data_received(data)
            return
        missing = end + known.head.length - len(data)
        if missing == 0 and self._answered(self.fast, known, raw, data[end:]):
            return
        if missing > 0 and known.head.length <= MOST_BYTES and self.fast.knows_caller(known, raw):
            self._hold(data)
            return
        self._owed = missing if missing >= 0 else _UNKNOWN
        super().data_received(data)

    def _answered(self, fast: FastCalls, known: KnownHead, raw: bytes, body: bytes) -> bool:
        """Whether a whole request is answered now. Nothing may be on its way before it."""
        transport = self.transport
        if not (fast.takes(known) and self._idle()) or transport is None:
            return False
        answer = fast.ask(known, raw, body, self._remote, self)
        if answer is None or isinstance(answer, Candidate):
            self.candidate = answer
            return False
        if isinstance(answer, Ongoing):
            self.ongoing = answer
            self._next_keepalive_close_time = _NEVER
            return True
        self._send(transport, answer)
        return True

    def _send(self, transport: asyncio.Transport, answer: tuple[bytes, ...] | Streamed) -> None:
        if isinstance(answer, Streamed):
            self._next_keepalive_close_time = _NEVER
            self.ongoing = flow = Flow(self, transport, self._loop, self._flown)
            flow.begin(answer)
            return
        transport.writelines(answer)
        self.repeats += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def deliver(self, answer: tuple[bytes, ...] | Streamed) -> bool:
        """The answer to the call that waits; False: its client is gone."""
        transport = self.transport
        if self.ongoing is None or transport is None:
            return False
        self.ongoing = None
        if self.fast is not None and self.fast.closing:
            answer, self._ends = _closing(answer), True
        self._send(transport, answer)
        if self.ongoing is None:
            self._follow(transport)
        return True

    def _flown(self) -> None:
        """A large answer is on its way."""
        self.ongoing = None
        self.repeats += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self.transport is not None:
            self._follow(self.transport)

    def _follow(self, transport: asyncio.Transport) -> None:
        """After an answer that was waited for: what came meanwhile, or the end."""
        if self._ends:
            self._backlog.clear()
            self.force_close()  # after what was written is sent
        elif self._backlog:
            data = bytes(self._backlog)
            self._backlog.clear()
            transport.resume_reading()
            self.data_received(data)

    def resume_writing(self) -> None:
        """The client has taken what was sent."""
        super().resume_writing()
        if isinstance(self.ongoing, Flow):
            self.ongoing.resume()

    def _queue(self, data: bytes) -> None:
        """The next requests came before the answer to this one; a client may not go on with that for ever."""
        self._backlog += data
        if len(self._backlog) > _QUEUED_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def take_candidate(self) -> Candidate | None:
        """What may be learnt from the answer that is about to be made; once."""
        candidate, self.candidate = self.candidate, None
        return candidate

    def _idle(self) -> bool:
        """Whether aiohttp waits for a request, and the client for none."""
        if self._force_close or self._close or self._paused or self.ongoing is not None:
            return False
        if self._request_count == 0:
            return True
        waiter: asyncio.Future[None] | None = self._waiter
        return waiter is not None and not waiter.done()

    def _hand_over(self, data: bytes) -> None:
        """More of what aiohttp is reading already."""
        if self._owed > 0:
            self._owed = self._owed - len(data) if len(data) <= self._owed else _UNKNOWN
        super().data_received(data)

    def _hold(self, data: bytes) -> None:
        self._held = data
        self._due = self._loop.call_later(_HELD_SECONDS, self._give_up)

    def _let_go(self) -> bytes:
        """What was held."""
        data, self._held = self._held, b""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        return data

    def _give_up(self) -> None:
        """The rest has not come: aiohttp waits for it, with its deadlines."""
        data = self._let_go()
        known = self.fast.known(data[: data.find(_END) + len(_END)]) if self.fast is not None else None
        self._owed = _UNKNOWN if known is None else data.find(_END) + len(_END) + known.head.length - len(data)
        super().data_received(data)

    def eof_received(self) -> None:
        """The client sends nothing more."""
        if self._held:
            self._give_up()
        super().eof_received()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature; its text may quote the request
    ) -> web.StreamResponse:
        """JSON instead of aiohttp's text or HTML page, and no traceback."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already") from exc
        server: Any = self._manager
        return server.protocol_error(request, status)  # type: ignore[no-any-return]


def _closing(answer: tuple[bytes, ...] | Streamed) -> tuple[bytes, ...] | Streamed:
    """The same, with a head that says that its connection ends."""
    head, *rest = answer
    head = head[:-2] + b"Connection: close\r\n\r\n"
    return Streamed(head, answer.pieces) if isinstance(answer, Streamed) else (head, *rest)
