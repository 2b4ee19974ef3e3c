from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pybase64
import pytest
from fakes.jina_upstream import KEY, embeddings, rerank

if TYPE_CHECKING:
    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

FACTS = Path(__file__).parent.parent / "fixtures" / "contract_facts.json"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

# What a model assumes and the gateway spells out, so that the upstream's own answer can be asked for directly.
TASKS: dict[str, dict[str, Any]] = {
    "jina-embeddings-v4": {"task": "text-matching"},
    "jina-embeddings-v5": {"task": "text-matching"},
    "jina-code": {"task": "nl2code.query"},
    "jina-colbert": {"input_type": "document"},
    "jina-reranker-v3": {"max_doc_length": 2048},
}


def assumed(model: str) -> dict[str, Any]:
    return next((fields for prefix, fields in TASKS.items() if model.startswith(prefix)), {})


def models(kind: str) -> list[str]:
    """Every model that a request schema of the contract names."""
    schemas = json.loads(FACTS.read_text())["components"]["schemas"]
    found: dict[str, None] = {}
    for schema in schemas.values():
        properties = schema.get("properties", {})
        if (
            {"model", kind} <= properties.keys()
            and ("query" in properties or kind == "input")
            and "labels" not in properties
        ):
            found |= dict.fromkeys(named(properties["model"]))
    return list(found)


def named(schema: dict[str, Any]) -> list[str]:
    return list(schema.get("enum", [])) or [schema["const"]] if {"enum", "const"} & schema.keys() else []


def numbers(value: Any) -> Any:
    """Vectors in any form as arrays: base64 is read, lists and objects are gone through."""
    if isinstance(value, str):
        return np.frombuffer(pybase64.b64decode(value), "<f4")
    if isinstance(value, dict):
        return {name: numbers(part) for name, part in value.items()}
    if value and isinstance(value[0], str):
        return np.array([numbers(part) for part in value])
    return np.array(value, dtype=np.float64)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    return left.shape == right.shape and np.allclose(left, right, rtol=0, atol=1e-6)


def assert_same_vectors(answer: Any, expected: Any) -> None:
    assert {**answer, "data": None} == {**expected, "data": None}
    for given, wanted in zip(answer["data"], expected["data"], strict=True):
        kind = "embeddings" if "embeddings" in wanted else "embedding"
        assert {**given, kind: None} == {**wanted, kind: None}
        assert same(numbers(given[kind]), numbers(wanted[kind]))


async def test_only_store_and_worker_run_beside_a_configured_backend(remote: Gateway) -> None:
    assert {file.stem for file in (remote.data_dir / "run").glob("*.pid")} == {"store", "worker-0"}
    assert len(remote.children()) == 2


def test_the_tables_below_have_all_models() -> None:
    assert (len(models("input")), len(models("documents"))) == (18, 8)


@pytest.mark.parametrize("model", models("input"))
async def test_every_embedding_model_of_the_contract_is_served(remote: Gateway, upstream: Upstream, model: str) -> None:
    texts = ["every model is", "asked once"]
    answer = await remote.embed(texts, model=model, **assumed(model))
    assert answer.status == 200, answer.json
    expected = embeddings({"model": model, "input": texts, **assumed(model)})
    if model == "elser-v2":
        assert answer.json == expected
    else:
        assert_same_vectors(answer.json, expected)
    assert KEY not in answer.body.decode() + str(answer.headers)
    again = await remote.embed(texts, model=model)
    assert again.cached == (2, 0)
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("model", models("documents"))
async def test_every_reranker_of_the_contract_is_served(remote: Gateway, upstream: Upstream, model: str) -> None:
    documents = ["a cat", {"text": "a cat and a dog"}, "nothing of that kind"]
    answer = await remote.rerank("a cat", documents, model=model)
    assert answer.status == 200, answer.json
    expected = rerank({"model": model, "query": "a cat", "documents": ["a cat", "a cat and a dog", documents[2]]})
    for entry in expected["results"]:
        entry["document"] = documents[entry["index"]]
    assert answer.json == expected
    again = await remote.rerank("a cat", documents, model=model, top_n=1, return_documents=False)
    assert [sorted(entry) for entry in again.json["results"]] == [["index", "relevance_score"]]
    assert again.cached[1] == 0
    assert len(upstream.calls) == 1


PRESENTATIONS: list[tuple[str, dict[str, Any]]] = [
    ("jina-embeddings-v3", {"embedding_type": "base64"}),
    ("jina-embeddings-v3", {"embedding_type": "binary"}),
    ("jina-embeddings-v3", {"embedding_type": "ubinary", "dimensions": 64}),
    ("jina-embeddings-v3", {"embedding_type": ["float", "base64", "binary", "ubinary"], "dimensions": 256}),
    ("jina-embeddings-v3", {"dimensions": 1}),
    ("jina-embeddings-v3", {"dimensions": 100, "task": "retrieval.query"}),
    ("jina-embeddings-v3", {"dimensions": 1023, "normalized": False}),
    ("jina-embeddings-v3", {"late_chunking": True, "dimensions": 32}),
    ("jina-embeddings-v4", {"dimensions": 2047, "embedding_type": "base64"}),
    ("jina-embeddings-v4", {"return_multivector": True, "return_tokenized_input": True}),
    ("jina-embeddings-v5-text-nano", {"dimensions": 700}),
    ("jina-clip-v2", {"dimensions": 640}),
    ("jina-colbert-v2", {"embedding_type": "base64"}),
    ("jina-colbert-v2", {"embedding_type": "ubinary"}),
]


@pytest.mark.parametrize(("model", "fields"), PRESENTATIONS)
async def test_what_is_derived_equals_what_the_upstream_says(
    remote: Gateway, upstream: Upstream, model: str, fields: dict[str, Any]
) -> None:
    texts = ["derived or asked", "the same vector", "derived or asked"]
    answer = await remote.embed(texts, model=model, **fields)
    assert answer.status == 200, answer.json
    assert_same_vectors(answer.json, embeddings({"model": model, "input": texts, **assumed(model), **fields}))
    assert len(upstream.calls) <= 1


@pytest.mark.parametrize("spelling", ["embedding_type", "encoding_format", "encoding_type"])
async def test_the_three_spellings_are_one(remote: Gateway, upstream: Upstream, spelling: str) -> None:
    del upstream
    answer = await remote.embed("spelt", model="jina-embeddings-v3", **{spelling: "base64"})
    expected = embeddings({"model": "jina-embeddings-v3", "input": "spelt", "embedding_type": "base64"})
    assert answer.json == expected


async def test_each_distinct_input_is_asked_once(remote: Gateway, upstream: Upstream) -> None:
    first = await remote.embed(["once a", "once b", "once a"], model="jina-embeddings-v3")
    assert first.cached == (1, 2)
    second = await remote.embed(["once c", "once b", "once a"], model="jina-embeddings-v3")
    assert (second.cached, second.headers["Cache-Status"]) == ((2, 1), "gateway; fwd=partial; stored")
    assert upstream.inputs == ["once a", "once b", "once c"]
    assert [entry["embedding"] for entry in second.json["data"]][:0:-1] == [
        entry["embedding"] for entry in first.json["data"][:2]
    ]


async def test_an_image_by_url_is_asked_each_time_and_one_by_value_once(remote: Gateway, upstream: Upstream) -> None:
    elsewhere, here = {"image": "https://images.example/a.png"}, {"image": PIXEL}
    for _ in range(2):
        answer = await remote.embed([elsewhere], model="jina-clip-v2")
        assert (answer.status, answer.headers["Cache-Status"]) == (200, "gateway; fwd=bypass")
        assert (await remote.embed(["text", here], model="jina-clip-v2")).status == 200
    assert upstream.inputs.count(elsewhere) == 2
    assert upstream.inputs.count(here) == 1
