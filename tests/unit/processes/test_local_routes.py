from __future__ import annotations

import asyncio
import base64
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer

pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")

from gateway.processes.local_model.engine import Embedded, Engine
from gateway.processes.local_model.server import ModelServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiohttp import web

    Client = TestClient[web.Request, web.Application]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(1)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    async with TestClient(TestServer(ModelServer(engine).application())) as found:
        yield found


async def post(client: Client, path: str, body: object) -> tuple[int, Any, str | None]:
    response = await client.post(path, json=body)
    return response.status, await response.json(), response.headers.get("x-compute-tokens")


async def test_embed_answers_bare_rows_and_the_tokens_it_computed(client: Client) -> None:
    status, rows, tokens = await post(client, "/embed", {"inputs": ["ok", "A man is eating food."]})
    assert status == 200
    assert [len(row) for row in rows] == [384, 384]
    assert tokens == "11"
    _, single, _ = await post(client, "/embed", {"inputs": "ok", "prompt_name": None, "truncation_direction": "right"})
    assert single == [pytest.approx(rows[0], abs=1e-6)]


async def test_fewer_dimensions_are_a_renormalised_prefix(client: Client) -> None:
    _, (whole,), _ = await post(client, "/embed", {"inputs": "ok"})
    _, (short,), _ = await post(client, "/embed", {"inputs": "ok", "dimensions": 64})
    prefix = np.array(whole[:64])
    assert short == pytest.approx(prefix / np.linalg.norm(prefix), abs=1e-6)
    _, (raw,), _ = await post(client, "/embed", {"inputs": "ok", "normalize": False})
    _, (cut,), _ = await post(client, "/embed", {"inputs": "ok", "normalize": False, "dimensions": 64})
    assert cut == pytest.approx(raw[:64], abs=1e-6)


async def test_embed_all_has_a_row_a_token_whose_mean_is_the_vector(client: Client) -> None:
    texts = ["A man is eating food.", "ok"]
    status, rows, tokens = await post(client, "/embed_all", {"inputs": texts})
    assert status == 200
    assert [[len(row) for row in text] for text in rows] == [[384] * 8, [384] * 3]
    assert tokens == "11"
    _, raw, _ = await post(client, "/embed", {"inputs": texts, "normalize": False})
    for text, vector in zip(rows, raw, strict=True):
        assert np.mean(text, axis=0) == pytest.approx(vector, abs=1e-6)
    _, cut, counted = await post(client, "/embed_all", {"inputs": "word " * 300, "truncate": True})
    assert (len(cut[0]), counted) == (256, "256")


async def test_embed_sparse_has_weights_by_token(client: Client) -> None:
    status, rows, tokens = await post(client, "/embed_sparse", {"inputs": ["The moon, the moon!", "moon", "?"]})
    assert status == 200
    assert tokens == "14"
    twice, once, nothing = ({entry["index"]: entry["value"] for entry in row} for row in rows)
    assert set(once) == set(twice)  # "the" tells nothing
    assert twice[4231] > once[4231]
    assert not nothing
    assert [entry["index"] for entry in rows[0]] == sorted(twice)


async def test_rerank_is_sorted_by_cosine_and_counts_the_query_once(client: Client) -> None:
    texts = ["The stock market fell.", "Somebody has a meal.", "ok"]
    body = {"query": "A man is eating food.", "texts": texts}
    status, ranking, tokens = await post(client, "/rerank", body)
    assert status == 200
    assert ranking[0]["index"] == 1
    assert [entry["score"] for entry in ranking] == sorted((entry["score"] for entry in ranking), reverse=True)
    assert set(ranking[0]) == {"index", "score"}
    _, rows, computed = await post(client, "/embed", {"inputs": [body["query"], *texts]})
    assert tokens == computed
    query, *documents = np.array(rows)
    assert {entry["index"]: entry["score"] for entry in ranking} == pytest.approx(
        dict(enumerate(np.array(documents) @ query)), abs=1e-6
    )
    _, raw, _ = await post(client, "/rerank", {**body, "raw_scores": True, "return_text": True})
    assert [entry["score"] for entry in raw] == [entry["score"] for entry in ranking]
    assert raw[0]["text"] == texts[1]


async def test_openai_s_route_gives_floats_or_base64_and_usage(client: Client) -> None:
    body = {"input": ["ok", "word " * 300], "model": "any"}
    status, answer, _ = await post(client, "/v1/embeddings", body)
    assert status == 200
    assert answer["object"] == "list"
    assert answer["model"] == "any"
    assert answer["usage"] == {"prompt_tokens": 259, "total_tokens": 259}
    assert [entry["index"] for entry in answer["data"]] == [0, 1]
    _, packed, _ = await post(client, "/v1/embeddings", {**body, "encoding_format": "base64", "dimensions": 8})
    _, plain, _ = await post(client, "/v1/embeddings", {**body, "dimensions": 8})
    for left, right in zip(packed["data"], plain["data"], strict=True):
        decoded = np.frombuffer(base64.b64decode(left["embedding"]), "<f4")
        assert decoded == pytest.approx(right["embedding"], abs=1e-6)


async def test_probes(client: Client) -> None:
    assert (await client.get("/health")).status == 200
    info = await (await client.get("/info")).json()
    assert info["model_id"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert (info["max_input_length"], info["max_client_batch_size"]) == (256, 32)


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/embed", {"inputs": []}, 400, "Empty"),
        ("/embed", {"inputs": ""}, 400, "Empty"),
        ("/embed", {"inputs": ["a", ""]}, 400, "Empty"),
        ("/embed", {"inputs": ["a"] * 33}, 422, "Validation"),
        ("/embed", {"inputs": "word " * 300}, 422, "Validation"),
        ("/embed", {"inputs": "a", "dimensions": 385}, 422, "Validation"),
        ("/embed", {"inputs": "a", "dimensions": 0}, 422, "Validation"),
        ("/embed", {"inputs": "a", "prompt_name": "query"}, 422, "Validation"),
        ("/embed", {"inputs": "a", "truncation_direction": "left"}, 422, "Validation"),
        ("/embed", {"inputs": [1, 2]}, 422, "Validation"),
        ("/embed", {}, 422, "Validation"),
        ("/embed_all", {"inputs": []}, 400, "Empty"),
        ("/embed_all", {"inputs": "word " * 300}, 422, "Validation"),
        ("/embed_all", {"inputs": ["a"] * 33}, 422, "Validation"),
        ("/embed_sparse", {"inputs": ["a", ""]}, 400, "Empty"),
        ("/embed_sparse", {"inputs": "word " * 300}, 422, "Validation"),
        ("/embed_sparse", {"inputs": "a", "prompt_name": "query"}, 422, "Validation"),
        ("/rerank", {"query": "a", "texts": []}, 400, "Empty"),
        ("/rerank", {"query": "", "texts": ["a"]}, 400, "Empty"),
        ("/rerank", {"query": "a", "texts": ["a"] * 33}, 422, "Validation"),
        ("/rerank", {"query": "a", "texts": ["word " * 300]}, 422, "Validation"),
        ("/nothing", {}, 404, "Validation"),
    ],
)
async def test_failures_have_the_native_shape(client: Client, path: str, body: object, status: int, kind: str) -> None:
    found, error, _ = await post(client, path, body)
    assert found == status
    assert error["error_type"] == kind
    assert isinstance(error["error"], str)
    assert set(error) == {"error", "error_type"}


async def test_failures_below_v1_have_openai_s_shape(client: Client) -> None:
    status, error, _ = await post(client, "/v1/embeddings", {"input": []})
    assert (status, error["code"], error["type"]) == (400, 400, "Empty")
    assert set(error) == {"message", "code", "type"}


async def test_what_is_not_json_is_an_error_in_json(client: Client) -> None:
    response = await client.post("/embed", data=b"{", headers={"Content-Type": "application/json"})
    assert response.status == 400
    assert (await response.json())["error_type"] == "Validation"


async def test_failures_do_not_repeat_the_input(client: Client) -> None:
    _, error, _ = await post(client, "/embed", {"inputs": "secret words " * 300})
    assert "secret" not in error["error"]


class StuckEngine(Engine):
    """Computes nothing until told."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def embed(self, texts: Sequence[str], *, truncate: bool = False, normalize: bool = True) -> Embedded:
        del truncate, normalize
        self.release.wait(10)
        return Embedded(np.ones((len(texts), 384), np.float32), len(texts))


async def test_a_full_queue_is_429_while_the_event_loop_stays_free() -> None:
    engine = StuckEngine()
    server = ModelServer(engine, max_waiting=2)
    async with TestClient(TestServer(server.application())) as client:
        waiting = [asyncio.create_task(post(client, "/embed", {"inputs": "a"})) for _ in range(2)]
        async with asyncio.timeout(10):
            while server._waiting < 2:  # noqa: ASYNC110 - the product needs no event for it
                await asyncio.sleep(0.001)
        refused = await post(client, "/embed", {"inputs": "a"})
        assert (refused[0], refused[1]["error_type"]) == (429, "Overloaded")
        assert (await client.get("/health")).status == 200
        engine.release.set()
        assert [status for status, *_ in await asyncio.gather(*waiting)] == [200, 200]
        assert (await post(client, "/embed", {"inputs": "a"}))[0] == 200
