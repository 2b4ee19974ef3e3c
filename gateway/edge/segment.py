"""E: GET and POST /v1/segment and /segment: our own segmenter, in a thread, as a long text takes some milliseconds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import orjson

from gateway.edge.call import call_of
from gateway.edge.call import read_body as read_bytes
from gateway.edge.errors import MethodError
from gateway.edge.limit_headers import limit_headers
from gateway.edge.operations import json_response
from gateway.endpoints.segment import NAME, read_body, read_query
from gateway.segmenter import segment
from gateway.tokens.vocabularies import vocabulary

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.local_calls import LocalCalls
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.segmenter import Wanted
    from gateway.vocabulary import Facts

_BODY_LIMIT = 1_048_576
"""Bytes: more than the longest text takes with every character escaped, as strangers may send it, too."""


class Segmenter:
    """One thread a worker: more would only take turns. Who waits for it too long is told so at the deadline."""

    name = NAME

    def __init__(self, pipeline: Pipeline, calls: LocalCalls, clock: Clock) -> None:
        self._pipeline = pipeline
        self._calls = calls
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "segmenter")

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.Response:
        """The segments.

        Raises:
            GatewayError: AUTH_*, RATE_*, INPUT_INVALID, METHOD_NOT_ALLOWED, SERVICE_TIMEOUT.
        """
        if request.method not in {"GET", "HEAD", "POST"}:
            raise MethodError("GET, HEAD, POST")
        config = self._pipeline.snapshot.config
        call = call_of(request, facts.request_id, config, self._clock)
        server = config.server.model_copy(update={"body_limit": min(_BODY_LIMIT, config.server.body_limit)})

        async def read() -> Wanted:
            if request.method != "POST":
                return read_query(request.query)
            body = await read_bytes(request, server, call.timeout)
            return read_body(body, lenient=server.validation == "lenient")

        async def answer(wanted: Wanted) -> bytes:
            return await asyncio.get_running_loop().run_in_executor(self._thread, _segmented, wanted)

        body = await self._calls.serve(call, facts, read, answer)
        return json_response(body, headers=limit_headers(facts.remaining))

    def close(self) -> None:
        """End the thread; what still waits for it is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _segmented(wanted: Wanted) -> bytes:
    return orjson.dumps(segment(wanted, vocabulary(wanted.tokenizer)))
