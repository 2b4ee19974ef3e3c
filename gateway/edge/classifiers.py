"""E: GET and POST /v1/classifiers, which lists the caller's own, and DELETE of one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.edge.call import call_of
from gateway.edge.errors import MethodError
from gateway.edge.limit_headers import limit_headers
from gateway.edge.operations import json_response
from gateway.endpoints.body import MAX_ECHO
from gateway.endpoints.classifiers import NAME, PATH, removed, summaries
from gateway.training.removal import remove

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.config.snapshot import Snapshot
    from gateway.dispatch.dispatcher import Dispatcher
    from gateway.local_calls import LocalCalls
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.training.shelf import Shelf
    from gateway.vocabulary import Call, Caller, Facts

_LIST = frozenset({"GET", "HEAD", "POST"})


class Classifiers:
    """Answers at the list's path and at each id below it."""

    name = NAME

    def __init__(
        self, pipeline: Pipeline, calls: LocalCalls, shelf: Shelf, dispatcher: Dispatcher, clock: Clock
    ) -> None:
        self._pipeline = pipeline
        self._calls = calls
        self._shelf = shelf
        self._dispatcher = dispatcher
        self._clock = clock

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.Response:
        """The list, or the word that one is gone.

        Raises:
            GatewayError: AUTH_*, RATE_*, RESOURCE_NOT_FOUND, CONFLICT_RESOURCE_BUSY, METHOD_NOT_ALLOWED, SERVICE_*.
        """
        identifier = request.path.removeprefix(PATH).removeprefix("/")[:MAX_ECHO]
        if identifier and request.method != "DELETE":
            raise MethodError("DELETE")
        if not identifier and request.method not in _LIST:
            raise MethodError("GET, HEAD, POST")
        call = call_of(request, facts.request_id, self._pipeline.snapshot.config, self._clock)

        async def answer(snapshot: Snapshot, caller: Caller, call: Call) -> bytes:
            if not identifier:
                with self._shelf.needed():
                    return summaries(await self._shelf.store.owned(caller.tenant), snapshot.secret)
            found = await self._shelf.own(identifier, caller.tenant)
            await remove(found, snapshot, caller, call, shelf=self._shelf, dispatcher=self._dispatcher)
            return removed(found)

        body = await self._calls.serve_known(call, facts, answer)
        return json_response(body, headers=limit_headers(facts.remaining))
