"""E: GET /v1/webhook-secret: what messages about the caller's jobs are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.edge.call import call_of
from gateway.edge.errors import MethodError
from gateway.edge.operations import json_response
from gateway.notify.addresses import shown_key, tenant_key

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.vocabulary import Facts

PATH = "/v1/webhook-secret"


class WebhookSecret:
    """One for each tenant, the same for all of its keys; computed, not stored."""

    name = "webhook-secret"

    def __init__(self, pipeline: Pipeline, clock: Clock) -> None:
        self._pipeline = pipeline
        self._clock = clock

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.Response:
        """`{"secret": "whsec_…"}`, which nobody on the way may keep.

        Raises:
            GatewayError: AUTH_*, METHOD_NOT_ALLOWED.
        """
        if request.method not in {"GET", "HEAD"}:
            raise MethodError("GET, HEAD")
        snapshot = self._pipeline.snapshot
        call = call_of(request, facts.request_id, snapshot.config, self._clock)
        caller = await self._pipeline.authenticate(snapshot, call, facts)
        secret = shown_key(tenant_key(caller.tenant, snapshot.secret))
        return json_response(orjson.dumps({"secret": secret}), headers={"Cache-Control": "no-store"})
