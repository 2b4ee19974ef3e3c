from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY

from gateway.edge.usage import Question, question
from gateway.errors import GatewayError
from gateway.settle.statement import By
from gateway.vocabulary import Account, Batch, Tally

if TYPE_CHECKING:
    import aiohttp

NOW = 1_000 * 86_400 + 1  # 1972-09-27T00:00:01Z
HOUR = NOW // 3_600
KEY = {"Authorization": f"Bearer {SEARCH_KEY}"}
JSON = {"Content-Type": "application/json"}
OTHER = {"Authorization": f"Bearer {OTHER_KEY}"}


async def reported(served: Any, client: aiohttp.ClientSession, query: str = "", **headers: str) -> dict[str, Any]:
    async with client.get(f"{served.url}/v1/usage{query}", headers=headers or KEY) as response:
        content: dict[str, Any] = await response.json()
        assert response.status == 200, content
    return content


async def embed(served: Any, client: aiohttp.ClientSession, *texts: str, key: dict[str, str]) -> None:
    body = orjson.dumps({"model": "jina-embeddings-v3", "input": list(texts)})
    async with client.post(f"{served.url}/v1/embeddings", data=body, headers=key | JSON) as response:
        assert response.status == 200


async def test_a_call_is_in_the_report_at_once_and_nobody_elses_is(served: Any, client: aiohttp.ClientSession) -> None:
    served.gateway.clock.now = float(NOW)
    await embed(served, client, "one two", "three", key=KEY)
    await embed(served, client, "one two", key=KEY)
    await embed(served, client, "four", key=OTHER)
    content = await reported(served, client)
    figures = {
        "requests": 2,
        "tokens": 5,
        "upstream_tokens": 3,
        "cost_usd": "0.00000015",
        "saved_tokens": 2,
        "saved_usd": "0.0000001",
    }
    assert content == {
        "tenant": "search",
        "key": served.gateway.counted[0].key_id,
        "period": {"since": "1972-09-20T00:00:00Z", "until": "1972-09-27T01:00:00Z"},
        "by": "model",
        "rows": [{"model": "jina-embeddings-v3", **figures}],
        "totals": figures,
        "tenant_totals": figures,
    }


async def test_rows_are_the_keys_own_and_the_tenants_are_summed(served: Any, client: aiohttp.ClientSession) -> None:
    served.gateway.clock.now = float(NOW)
    await embed(served, client, "mine", key=KEY)
    sibling = Account(HOUR - 30, "search", "another key", "m", "rerank")
    await served.gateway.ledger.add(Batch("x", 1, {sibling: Tally(10, 100)}), 0)
    content = await reported(served, client, "?by=day&since=2d")
    assert [(row["day"], row["requests"]) for row in content["rows"]] == [("1972-09-27", 1)]
    assert (content["totals"]["requests"], content["tenant_totals"]["requests"]) == (1, 11)


async def test_without_a_key_nothing_is_told(served: Any, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{served.url}/v1/usage") as response:
        assert response.status == 401
    async with client.post(f"{served.url}/v1/usage", headers=KEY) as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_store_that_is_away_is_a_503(served: Any, client: aiohttp.ClientSession) -> None:
    served.gateway.clock.now = float(NOW)
    served.gateway.ledger.away = True
    async with client.get(f"{served.url}/v1/usage", headers=KEY) as response:
        assert (response.status, (await response.json())["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_a_query_that_makes_no_sense_is_a_422_in_our_shape(served: Any, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{served.url}/v1/usage?by=colour&limit=7", headers=KEY) as response:
        content = await response.json()
    assert (response.status, content["code"]) == (422, "INPUT_INVALID")
    assert {error["field"] for error in content["errors"]} == {"query -> by", "query -> limit"}


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, Question(HOUR - 7 * 24, HOUR + 1, By.MODEL)),
        ({"since": "1h", "by": "hour"}, Question(HOUR - 1, HOUR + 1, By.HOUR)),
        ({"since": "1972-09-01", "until": "1972-09-02"}, Question(HOUR - 26 * 24, HOUR - 25 * 24, By.MODEL)),
        ({"since": "1972-09-27T00:00:01", "by": "key"}, Question(HOUR, HOUR + 1, By.KEY)),
        ({"since": "1972-09-27T02:00+02:00", "by": "day"}, Question(HOUR, HOUR + 1, By.DAY)),
    ],
)
def test_what_a_query_asks(query: dict[str, str], asked: Question) -> None:
    assert question(query, NOW) == asked


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"since": "yesterday"}, ["since"]),
        ({"since": "x", "until": "y", "by": "z", "what": "?"}, ["what", "since", "until", "by"]),
        ({"since": "32d"}, ["since"]),
        ({"since": "1d", "until": "2d"}, ["since"]),
        ({"since": "9999999d"}, ["since"]),
        ({"since": "0001-01-01"}, ["since"]),
        ({"by": "tenant"}, ["by"]),
        ({"until": ""}, ["until"]),
    ],
)
def test_each_unusable_parameter_is_named(query: dict[str, str], fields: list[str]) -> None:
    with pytest.raises(GatewayError) as raised:
        question(query, NOW)
    assert [error.field for error in raised.value.errors] == [f"query -> {name}" for name in fields]
