from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from gateway.catalogue.registry import LOCAL_MODEL
from gateway.config.jobs import Jobs
from gateway.endpoints.batch import OUTPUT, BatchStatus, Wanted, read_limit, read_request, status_of
from gateway.errors import Code, GatewayError
from gateway.ports.jobs import Batch, Order, State, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot

NANO = "jina-embeddings-v5-text-nano"
LINE = {"custom_id": "a", "body": {"input": "x"}}
URL = "https://example.com/in.jsonl"


def wanted(make: Callable[..., Snapshot], **fields: Any) -> Wanted:
    return read_request(
        json.dumps({"model": NANO} | fields).encode(),
        make(jobs=Jobs(max_inline=2, inputs=("s3://bucket/", "gs://bucket/a/"))),
    )


def test_an_inline_job(make_snapshot: Callable[..., Snapshot]) -> None:
    found = wanted(make_snapshot, input=[LINE, {}], task="retrieval", dimensions=64, webhook_url=URL)
    assert found.lines == orjson.dumps(LINE) + b"\n{}\n"
    assert (found.model, found.total, found.input_url, found.webhook_url) == (NANO, 2, "", URL)
    assert orjson.loads(found.options) == {"task": "retrieval.passage", "dimensions": 64, "normalized": True}


@pytest.mark.parametrize("url", [URL, "s3://bucket/in.jsonl", "gs://bucket/a/in.jsonl"])
def test_a_job_by_url(make_snapshot: Callable[..., Snapshot], url: str) -> None:
    found = wanted(make_snapshot, input_url=url, normalized=None, task=None)
    assert (found.lines, found.total, found.input_url, found.options) == (None, None, url, "{}")


def test_a_model_of_our_own_has_no_task(make_snapshot: Callable[..., Snapshot]) -> None:
    found = wanted(make_snapshot, model=LOCAL_MODEL.name, input=[LINE])
    assert (found.model, orjson.loads(found.options)) == (LOCAL_MODEL.name, {"normalized": True})
    with pytest.raises(GatewayError, match="task"):
        wanted(make_snapshot, model=LOCAL_MODEL.name, input=[LINE], task="text-matching")


WRONG = [
    ({}, "input"),
    ({"input": [LINE], "input_url": URL}, "input"),
    ({"input": []}, "input"),
    ({"input": [LINE] * 3}, "1 to 2 lines"),
    ({"input": ["x"]}, "input"),
    ({"input": [LINE], "task": "nonsense"}, "task"),
    ({"input": [LINE], "dimensions": 1_025}, "dimensions"),
    ({"input": [LINE], "normalized": "yes"}, "normalized"),
    ({"input": [LINE], "embedding_type": "base64"}, "embedding_type"),
    ({"input": [LINE], "model": "jina-embeddings-v3"}, "model"),
    ({"input_url": "file:///etc/passwd"}, "input_url"),
    ({"input_url": "http://127.0.0.1/in"}, "input_url"),
    ({"input_url": "s3://" + "b" * 3_000}, "input_url"),
    ({"input_url": "s3://another/in.jsonl"}, "is in no bucket that this gateway is allowed to read"),
    ({"input": [LINE], "webhook_url": "s3://bucket/x"}, "webhook_url"),
    ({"input": [LINE], "webhook_url": "http://example.com/x"}, "must begin with https://"),
    ({"input": [LINE], "webhook_url": "http://169.254.169.254/"}, "webhook_url"),
]


@pytest.mark.parametrize(("fields", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_named(make_snapshot: Callable[..., Snapshot], fields: dict[str, Any], said: str) -> None:
    with pytest.raises(GatewayError) as raised:
        wanted(make_snapshot, **fields)
    assert raised.value.code is Code.INPUT_INVALID
    assert said in raised.value.errors[0].field + raised.value.errors[0].message


def test_a_model_that_embeds_nothing_is_not_found(make_snapshot: Callable[..., Snapshot]) -> None:
    with pytest.raises(GatewayError) as raised:
        wanted(make_snapshot, model="jina-reranker-v3", input=[LINE])
    assert raised.value.code is Code.INPUT_MODEL_NOT_FOUND


def test_lenient_validation_drops_what_is_unknown(make_snapshot: Callable[..., Snapshot]) -> None:
    body = json.dumps({"model": NANO, "input": [LINE], "priority": 1}).encode()
    assert read_request(body, make_snapshot(server={"validation": "lenient"})).total == 1


@pytest.mark.parametrize(("query", "limit"), [({}, 20), ({"limit": "5"}, 5), ({"limit": "99999999999"}, 1_000)])
def test_how_many_are_listed(query: dict[str, str], limit: int) -> None:
    assert read_limit(query) == limit


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "٣"])
def test_a_limit_that_is_none(text: str) -> None:
    with pytest.raises(GatewayError):
        read_limit({"limit": text})


ORDER = Order("batch_1", "t", "k", NANO, 1_800_000_000, 1_800_086_400)
LINKS = {kind: f"/{kind}" for kind in OUTPUT}


def test_a_new_job_has_nothing_to_fetch() -> None:
    found = status_of(Batch(ORDER), LINKS)
    BatchStatus.model_validate(found)
    assert set(found) == set(BatchStatus.model_fields)
    assert (found["status"], found["created_at"], found["expires_at"], found["completed_at"]) == (
        "pending",
        "2027-01-15T08:00:00Z",
        "2027-01-16T08:00:00Z",
        None,
    )
    assert (found["output_url"], found["error_file_url"], found["stats"], found["error"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("state", "tally", "output", "errors"),
    [
        (State.COMPLETED, Tally(2, 1, 9), "/output", "/errors"),
        (State.COMPLETED, Tally(3, 0, 9), "/output", None),
        (State.FAILED, Tally(0, 3), None, "/errors"),
        (State.CANCELLED, Tally(1, 0, 3), "/output", None),
        (State.EXPIRED, Tally(2, 1, 9), None, None),
        (State.PROCESSING, Tally(2, 1, 9), None, None),
    ],
)
def test_what_there_is_to_fetch(state: State, tally: Tally, output: str | None, errors: str | None) -> None:
    found = status_of(Batch(ORDER, state, 3, 1, tally, 1_800_000_060, "why"), LINKS)
    assert (found["output_url"], found["error_file_url"], found["error"]) == (output, errors, "why")
    assert found["stats"] == {
        "total": 3,
        "completed": tally.completed,
        "failed": tally.failed,
        "total_tokens": tally.tokens,
    }
    assert found["completed_at"] == "2027-01-15T08:01:00Z"
