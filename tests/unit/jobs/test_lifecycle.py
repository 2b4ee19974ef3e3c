from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.gateway import configured, snapshot_of

from gateway.errors import Code, GatewayError, insufficient_balance, invalid_request, service_timeout
from gateway.errors import service_unavailable as away
from gateway.errors import token_limit_exceeded as tokens
from gateway.jobs.lifecycle import (
    AWAY_SECONDS,
    LONGEST_WAIT,
    TIMEOUTS,
    Fail,
    Halve,
    Refuse,
    Wait,
    caller_of,
    part,
    verdict,
    whole_input,
)
from gateway.ports.jobs import Order

ROWS = [
    (GatewayError(Code.RATE_REQUEST_LIMIT_EXCEEDED, "", retry_after=7.0), 8, 1, Wait(7.0, elsewhere=True)),
    (GatewayError(Code.RATE_CONCURRENCY_LIMIT_EXCEEDED, ""), 8, 1, Wait(1.0, elsewhere=True)),
    (GatewayError(Code.RATE_REQUEST_LIMIT_EXCEEDED, "", retry_after=3e9), 1, 9, Wait(LONGEST_WAIT, elsewhere=True)),
    (tokens(10, 100, 3.0, 50), 8, 1, Wait(3.0, elsewhere=True)),
    (tokens(10, 100, 3.0, 150), 8, 1, Halve()),
    (tokens(10, 100, 3.0, 150), 1, 1, Refuse()),
    (tokens(10, 100, 3.0, 150).again(), 8, 1, Halve()),
    (away(), 8, 1, Wait(AWAY_SECONDS, elsewhere=True)),
    (away(retry_after=30.0), 1, 500, Wait(30.0, elsewhere=True)),
    (service_timeout(5), 8, TIMEOUTS - 1, Wait(1.0)),
    (service_timeout(5), 8, TIMEOUTS, Halve()),
    (service_timeout(5), 1, TIMEOUTS, Refuse()),
    (insufficient_balance(), 8, 1, Fail()),
    (GatewayError(Code.INPUT_MODEL_NOT_FOUND, ""), 1, 1, Fail()),
    (invalid_request(()), 2, 1, Halve()),
    (invalid_request(()), 1, 1, Refuse()),
    (GatewayError(Code.INTERNAL_ERROR, ""), 2, 1, Halve()),
]


@pytest.mark.parametrize(("error", "lines", "tries", "wanted"), ROWS, ids=range(len(ROWS)))
def test_what_follows_from_a_failure(error: GatewayError, lines: int, tries: int, wanted: object) -> None:
    assert verdict(error, lines, tries, 0.0) == wanted


def test_chance_makes_waits_longer_only() -> None:
    assert verdict(away(), 1, 1, 0.5) == Wait(AWAY_SECONDS * 1.1, elsewhere=True)


def test_who_pays_is_the_key_that_made_the_job() -> None:
    snapshot = snapshot_of(configured())
    known = next(iter(snapshot.directory.values()))
    order = Order("batch_1", known.tenant, known.key_id, "m", 0, 1)
    ending = replace(snapshot, directory={b"": replace(known, expires=9)})
    assert (caller_of(ending, order, 8) is None, caller_of(ending, order, 9)) == (False, None)
    assert caller_of(snapshot, order, 0) is known
    assert caller_of(snapshot, Order("batch_1", "nobody", known.key_id, "m", 0, 1), 0) is None
    assert caller_of(snapshot, Order("batch_1", known.tenant, "another", "m", 0, 1), 0) is None


def test_files_have_names_in_the_order_of_chunks() -> None:
    assert part("batch_1", "output", 12) == "batches/batch_1/output/000012.jsonl"
    assert whole_input("batch_1") == "batches/batch_1/input.jsonl"
