"""E: GET /v1/usage: what the caller's own key has used and what it cost, and its tenant's totals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.edge.call import call_of
from gateway.edge.operations import json_response
from gateway.errors import FieldError, StoreError, invalid_request, service_unavailable
from gateway.settle.statement import By, figures, grouped, hours, moment_of
from gateway.vocabulary import total
from gateway.vocabulary.when import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.settle.ledger import Books
    from gateway.vocabulary import Facts

PATH = "/v1/usage"

LONGEST_HOURS = 31 * 24
"""A call reads at most so many hours: there is no other limit on these calls."""

_AT_ONCE = 4
_DEFAULT_SINCE = "7d"
_KNOWN = ("since", "until", "by")
_GROUPS = (By.MODEL, By.KEY, By.HOUR, By.DAY)


@dataclass(frozen=True, slots=True)
class Question:
    """Whole hours from `since` up to `until`, and what rows are summed by."""

    since: int
    until: int
    by: By


class UsageReport:
    """Reads the ledger and what this worker has not sent there; what others have not is missing for a second."""

    def __init__(self, pipeline: Pipeline, books: Books, clock: Clock) -> None:
        self._pipeline = pipeline
        self._books = books
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.Response:
        """The report.

        Raises:
            GatewayError: AUTH_*, INPUT_INVALID (the query), SERVICE_UNAVAILABLE (the store does not answer).
        """
        snapshot = self._pipeline.snapshot
        call = call_of(request, facts.request_id, snapshot.config, self._clock)
        caller = await self._pipeline.authenticate(snapshot, call, facts)
        asked = question(request.query, self._clock.epoch())
        try:
            async with self._turns:
                rows = await self._books.rows(caller.tenant, asked.since, asked.until)
        except StoreError:
            raise service_unavailable() from None
        own = [row for row in rows if row[0].key_id == caller.key_id]
        content = {
            "tenant": caller.tenant,
            "key": caller.key_id,
            "period": {"since": moment_of(asked.since), "until": moment_of(asked.until)},
            "by": asked.by.value,
            "rows": [{asked.by.value: name, **figures(tally)} for name, tally in grouped(own, asked.by).items()],
            "totals": figures(total(tally for _, tally in own)),
            "tenant_totals": figures(total(tally for _, tally in rows)),
        }
        return json_response(orjson.dumps(content), headers={"Cache-Control": "no-store"})


def question(query: Mapping[str, str], now: int) -> Question:
    """What a query string asks.

    Raises:
        GatewayError: INPUT_INVALID, naming each parameter that is unknown or unusable.
    """
    wrong = [_error(name[:100], "is not a parameter here", "extra_forbidden") for name in query.keys() - _KNOWN]
    seconds = [now, now]
    for position, (name, default) in enumerate((("since", _DEFAULT_SINCE), ("until", "0s"))):
        try:
            seconds[position] = moment(query.get(name, default), now)
        except (ValueError, OverflowError):
            wrong.append(_error(name, "must be a time (2026-01-31T12:00) or an age (7d, 12h)", "moment_invalid"))
    by = next((group for group in _GROUPS if group.value == query.get("by", By.MODEL.value)), None)
    if by is None:
        wrong.append(_error("by", f"must be one of {', '.join(_GROUPS)}", "enum"))
    since, until = hours(*seconds)
    if not wrong and not (0 <= since <= until and until - since <= LONGEST_HOURS):
        wrong.append(_error("since", "must be before until, and at most 31 days before it", "period_invalid"))
    if wrong or by is None:
        raise invalid_request(tuple(wrong))
    return Question(since, until, by)


def _error(name: str, message: str, kind: str) -> FieldError:
    return FieldError(f"query -> {name}", message, kind)
