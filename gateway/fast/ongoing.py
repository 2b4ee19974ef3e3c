"""C: a call of a known form that waits for the store or a backend, and whose client may go away meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import Code, GatewayError
from gateway.vocabulary import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from gateway.fast.form import Form
    from gateway.fast.repeat import Asker
    from gateway.leasing.lease import Taken
    from gateway.vocabulary import Facts, ItemKey, Meter, Reply


class Ongoing:
    """One for a call. Until a backend is asked the end of its connection ends it; later nothing does (edge.hang_up).

    `ends` is called then, where no task serves it.
    """

    __slots__ = ("_departed", "_gone", "_task", "asker", "door", "ends", "form", "keys", "meters", "texts")

    def __init__(  # noqa: PLR0913, PLR0917 - what is known of it, in the order in which it was found
        self,
        form: Form,
        texts: Sequence[str],
        keys: Sequence[ItemKey],
        asker: Asker,
        meters: Sequence[Meter],
        door: list[Taken],
    ) -> None:
        """`door` is what it has taken of `meters` (admit.reservation.at_the_door)."""
        self.form = form
        self.texts = texts
        self.keys = keys
        self.asker = asker
        self.meters = meters
        self.door = door
        self.ends: Callable[[], None] | None = None
        self._gone = False
        self._departed = False
        self._task: asyncio.Task[None] | None = None

    @property
    def gone(self) -> bool:
        """Whether its client went away before a backend was asked."""
        return self._gone

    def call(self) -> Call:
        """As the pipeline knows it."""
        asker, timeout = self.asker, self.form.snapshot.config.server.timeout
        return Call(
            read=_nothing_to_read,
            credentials=None,
            client=asker.client,
            request_id=asker.request_id,
            deadline=asker.started + timeout,
            timeout=timeout,
            depart=self.depart,
            caller=asker.caller,
        ).within(asker.caller.timeout)

    def facts(self) -> Facts:
        """What is known of it before it is answered."""
        return self.form.facts(self.asker.request_id, len(self.keys))

    def depart(self) -> None:
        """A backend is being asked."""
        self._departed = True

    def lost(self) -> None:
        """The connection ended."""
        if self._departed:
            return
        self._gone = True
        if self._task is not None:
            self._task.cancel()
        elif self.ends is not None:
            self.ends()

    async def run(self, serving: Coroutine[None, None, Reply]) -> Reply:
        """What `serving` gives, unless the client goes away first.

        Raises:
            GatewayError: what the client is to be told; nobody hears it who is `gone`.
        """
        self._task = asyncio.current_task()
        try:
            return await serving
        except asyncio.CancelledError:
            if not self.gone:
                raise
            raise closed_by_client() from None
        finally:
            self._task = None


def closed_by_client() -> GatewayError:
    """What a request ended with whose client went away; nobody is told."""
    return GatewayError(Code.SERVICE_UNAVAILABLE, "The client closed the connection")


async def _nothing_to_read() -> bytes:
    return b""
