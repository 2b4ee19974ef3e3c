from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.catalogue.model import Family, Model
from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL, LOCAL_MODELS
from gateway.vocabulary import Modality, Shape

FACTS = json.loads((Path(__file__).parents[2] / "fixtures" / "contract_facts.json").read_bytes())
TEXT = {Modality.TEXT}
PAGES = TEXT | {Modality.IMAGE, Modality.PDF}

# Native length, longest allowed in a request, whether a prefix means something, context, modalities.
EMBEDDERS: dict[str, tuple[int, int | None, bool, int, set[Modality]]] = {
    "jina-embeddings-v2-base-en": (768, None, False, 8_192, TEXT),
    "jina-embeddings-v2-base-code": (768, None, False, 8_192, TEXT),
    "jina-embeddings-v3": (1_024, 1_024, True, 8_192, TEXT),
    "jina-embeddings-v4": (2_048, 2_048, True, 32_768, PAGES),
    "jina-embeddings-v5-text-nano": (768, 1_024, True, 8_192, TEXT),
    "jina-embeddings-v5-text-small": (1_024, 1_024, True, 32_768, TEXT),
    "jina-embeddings-v5-omni-nano": (768, 1_024, True, 8_192, set(Modality)),
    "jina-embeddings-v5-omni-small": (1_024, 1_024, True, 32_768, set(Modality)),
    "jina-code-embeddings-0.5b": (896, 896, True, 32_768, TEXT),
    "jina-code-embeddings-1.5b": (1_536, 1_536, True, 32_768, TEXT),
    "jina-clip-v1": (768, None, False, 8_192, PAGES),
    "jina-clip-v2": (1_024, 1_024, True, 8_192, PAGES),
    "jina-colbert-v1-en": (128, None, False, 8_192, TEXT),
    "jina-colbert-v2": (128, None, False, 8_192, TEXT),
    "elser-v2": (0, None, False, 512, TEXT),
    "all-MiniLM-L6-v2": (384, 384, False, 256, TEXT),
}


@pytest.mark.parametrize("endpoint", ["embeddings", "rerank", "classify"])
def test_catalogue_maps_every_name_of_the_contract_to_its_schema(endpoint: str) -> None:
    body = FACTS["paths"][f"/v1/{endpoint}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    body = body["anyOf"][0] if "anyOf" in body else body
    expected = {name: ref.rpartition("/")[2] for name, ref in body["discriminator"]["mapping"].items()}
    found = {name: family for name, model in CATALOGUE.items() if (family := model.family(endpoint))}
    assert found == expected


@pytest.mark.parametrize("name", EMBEDDERS)
def test_traits(name: str) -> None:
    model = CATALOGUE.get(name, LOCAL_MODEL)
    dimensions, longest, matryoshka, context, modalities = EMBEDDERS[name]
    assert model.name == name
    assert (model.dimensions, model.max_dimensions, model.matryoshka) == (dimensions, longest, matryoshka)
    assert (model.context_length, set(model.modalities)) == (context, modalities)


@pytest.mark.parametrize("model", CATALOGUE.values(), ids=lambda model: model.name)
def test_the_longest_dimensions_are_the_schemas_bound(model: Model) -> None:
    if model.embeddings is None:
        return
    field = FACTS["components"]["schemas"][model.embeddings]["properties"].get("dimensions", {"anyOf": [{}]})
    assert model.max_dimensions == field["anyOf"][0].get("maximum")


def test_one_entry_serves_both_endpoints_for_colbert() -> None:
    both = {name for name, model in CATALOGUE.items() if model.embeddings and model.rerank}
    assert both == {"jina-colbert-v1-en", "jina-colbert-v2"}
    assert all(CATALOGUE[name].shape is Shape.MULTI for name in both)


def test_only_one_reranker_is_listwise() -> None:
    assert [name for name, model in CATALOGUE.items() if model.listwise] == ["jina-reranker-v3"]


def test_owners_and_vector_spaces_are_distinct() -> None:
    assert {model.owner for model in CATALOGUE.values()} == {"jina-ai", "elastic"}
    assert [name for name, model in CATALOGUE.items() if model.owner == "elastic"] == ["elser-v2"]
    assert len({model.revision for model in (*CATALOGUE.values(), *LOCAL_MODELS)}) == len(CATALOGUE) + len(LOCAL_MODELS)


def test_local_model_is_no_jina_model() -> None:
    assert LOCAL_MODEL.qualified_name == "sentence-transformers/all-MiniLM-L6-v2"
    assert (LOCAL_MODEL.embeddings, LOCAL_MODEL.rerank) == (Family.OWN_EMBEDDINGS, Family.OWN_RERANKER)
    assert "int8" in LOCAL_MODEL.revision
    assert LOCAL_MODEL.name not in CATALOGUE


def test_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["x"] = LOCAL_MODEL  # type: ignore[index]
