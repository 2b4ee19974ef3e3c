from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

import orjson
from fakes.gateway import SEARCH_KEY

if TYPE_CHECKING:
    import aiohttp

REQUESTS = 2_000
MOST = 2_000
"""Series that one gateway may show, whoever calls it with whatever."""

ROUTES = ("/v1/embeddings", "/v1/rerank", "/v1/classify", "/v1/segment", "/embed", "/v2/embed", "/v1/models/{}", "/{}")
METHODS = ("GET", "POST", "PUT", "DELETE")


def word(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase + string.digits, k=chance.randint(4, 20)))


def names(text: bytes) -> set[bytes]:
    return {line.rpartition(b" ")[0] for line in text.splitlines() if not line.startswith(b"#")}


async def test_no_client_can_make_series(served: Any, client: aiohttp.ClientSession) -> None:
    chance = random.Random(8)  # noqa: S311 - the same requests each time
    sent: set[bytes] = set()
    for _ in range(REQUESTS):
        path, model, key = chance.choice(ROUTES).format(word(chance)), word(chance), f"jina_{word(chance)}"
        sent |= {model.encode(), key.encode()}
        headers = {
            "Authorization": f"Bearer {chance.choice((SEARCH_KEY, key))}",
            "Content-Type": "application/json",
            "X-Request-Id": word(chance),
            "X-Gateway-Cache-Salt": word(chance),
        }
        body = orjson.dumps({"model": model, "input": word(chance), "task": word(chance)})
        async with client.request(chance.choice(METHODS), served.url + path, data=body, headers=headers) as answer:
            await answer.read()
    async with client.get(served.url + "/metrics") as answer:
        text = await answer.read()
    series = names(text)
    assert b'endpoint="other"' in text
    counted = [line for line in text.splitlines() if line.startswith(b"gateway_requests_total")]
    assert sum(float(line.rpartition(b" ")[2]) for line in counted) == REQUESTS
    assert len(series) < MOST
    assert not [word for word in sent if b'"%b"' % word in text]
