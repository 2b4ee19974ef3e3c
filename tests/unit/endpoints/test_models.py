from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL
from gateway.endpoints.models import get_model, list_models
from gateway.endpoints.schemas_replies import ModelInfo, ModelListResponse
from gateway.errors import Code, GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot

LOCAL = "sentence-transformers/all-MiniLM-L6-v2"


def test_every_served_model_once_and_aliases_beside(make_snapshot: Callable[..., Snapshot]) -> None:
    body = json.loads(list_models(make_snapshot()))
    expected = {model.qualified_name for model in (*CATALOGUE.values(), LOCAL_MODEL)} | {"small"}
    assert sorted(entry["id"] for entry in body["data"]) == sorted(expected)
    assert body["object"] == "list"


def test_only_what_is_served(make_snapshot: Callable[..., Snapshot]) -> None:
    data = json.loads(list_models(make_snapshot(only=("elser-v2",))))["data"]
    assert [(entry["id"], entry["owned_by"]) for entry in data] == [("elastic/elser-v2", "elastic")]


def test_list_and_entries_fit_the_contract(make_snapshot: Callable[..., Snapshot]) -> None:
    snapshot = make_snapshot()
    ModelListResponse.model_validate_json(list_models(snapshot), strict=True)
    for name in snapshot.served:
        ModelInfo.model_validate_json(get_model(name, snapshot), strict=True)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("all-MiniLM-L6-v2", LOCAL), (LOCAL, LOCAL), ("small", "small"), ("jina-ai/jina-clip-v2", "jina-ai/jina-clip-v2")],
)
def test_one_model_by_any_name(name: str, identifier: str, make_snapshot: Callable[..., Snapshot]) -> None:
    snapshot = make_snapshot()
    entry = json.loads(get_model(name, snapshot))
    assert (entry["id"], entry["object"]) == (identifier, "model")
    assert entry in json.loads(list_models(snapshot))["data"]


@pytest.mark.parametrize("name", ["no-such", "jina-ai/no-such", "jina-ai/all-MiniLM-L6-v2", "", "jina-embeddings-v3"])
def test_unknown_or_unserved(name: str, make_snapshot: Callable[..., Snapshot]) -> None:
    with pytest.raises(GatewayError) as caught:
        get_model(name, make_snapshot(only=(LOCAL_MODEL.name,)))
    assert caught.value.code is Code.RESOURCE_NOT_FOUND


def test_facts_of_an_entry(make_snapshot: Callable[..., Snapshot]) -> None:
    snapshot = make_snapshot()
    v3 = json.loads(get_model("jina-embeddings-v3", snapshot))
    assert (v3["created"], v3["pricing"]["prompt"]) == (1_725_840_000, "0.00000005")
    assert (v3["name"], v3["hugging_face_id"]) == ("Jina AI: Jina Embeddings v3", "jinaai/jina-embeddings-v3")
    assert (v3["context_length"], v3["max_output_length"], v3["output_modalities"]) == (8_192, 1_024, ["embeddings"])
    local = json.loads(get_model("small", snapshot))
    assert (local["quantization"], local["output_modalities"]) == ("int8", ["embeddings", "scores"])
    omni = json.loads(get_model("jina-embeddings-v5-omni-small", snapshot))
    assert omni["input_modalities"] == ["text", "image", "pdf", "video", "audio"]
