from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL
from gateway.endpoints.openapi import openapi
from gateway.endpoints.openapi_bulk import BULK_SCHEMAS, bulk_paths
from gateway.endpoints.openapi_fronts import FRONT_SCHEMAS, front_paths
from gateway.endpoints.segment import PATHS, SegmentResponse, read_body, read_query
from gateway.segmenter import segment
from gateway.tokens.vocabularies import vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

OWN_SCHEMAS = {"OwnBatchEmbeddingRequest", "SegmentRequest", "SegmentResponse", "SegmentUsage"}
OWN_SCHEMAS |= {schema.__name__ for schema in (*FRONT_SCHEMAS, *BULK_SCHEMAS)}
OWN_SCHEMAS |= {"CohereMeta", "CoherePlace", "CohereInput", "CohereText", "CohereImage", "CohereImageUrl"}
RELAYED = {"/reader/{url}", "/reader/", "/search/{q}", "/search/", "/ground/{statement}", "/ground/", "/v1/fine-tuning"}
PROSE = ("title", "description", "summary")


def facts(value: Json) -> Json:
    """A document without prose; a property may be called `description`, so only strings are prose."""
    if isinstance(value, dict):
        return {k: facts(v) for k, v in value.items() if not (k in PROSE and isinstance(v, str))}
    return [facts(entry) for entry in value] if isinstance(value, list) else value


def zero_shot(path: Json) -> Json:
    """The part of a request's schema that `model` tells apart."""
    schema = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema["anyOf"][0] if "anyOf" in schema else schema


@pytest.fixture
def document(make_snapshot: Callable[..., Snapshot]) -> Json:
    return json.loads(openapi(make_snapshot()))


@pytest.fixture
def contract_document(make_snapshot: Callable[..., Snapshot]) -> Json:
    return facts(json.loads(openapi(make_snapshot(only=tuple(CATALOGUE)))))


def test_paths_equal_the_contracts(contract_document: Json, contract_facts: Json) -> None:
    assert contract_document["openapi"] == contract_facts["openapi"]
    paths = {*PATHS, *front_paths(), *bulk_paths(), *RELAYED}
    assert set(contract_document["paths"]) == set(contract_facts["paths"]) | paths
    for path, operations in contract_facts["paths"].items():
        assert contract_document["paths"][path] == operations, path


def test_component_schemas_equal_the_contracts(
    contract_document: Json,
    contract_facts: Json,
    own_models_facts: Json,
) -> None:
    expected = contract_facts["components"]["schemas"] | own_models_facts["schemas"]
    found = contract_document["components"]["schemas"]
    assert set(found) == set(expected) | OWN_SCHEMAS
    for name, schema in expected.items():
        assert found[name] == schema, name
        assert found[name].get("required") == schema.get("required"), name


@pytest.mark.parametrize("kind", ["responses", "securitySchemes"])
def test_other_components_equal_the_contracts(contract_document: Json, contract_facts: Json, kind: str) -> None:
    assert contract_document["components"][kind] == contract_facts["components"][kind]


def test_own_models_are_offered_beside_the_contracts(
    document: Json,
    contract_facts: Json,
    own_models_facts: Json,
) -> None:
    for path, mapping in own_models_facts["operations"].items():
        body, theirs = (zero_shot(both["paths"][path]) for both in (document, contract_facts))
        assert body["discriminator"]["mapping"] == theirs["discriminator"]["mapping"] | mapping
        assert body["oneOf"] == [*theirs["oneOf"], {"$ref": mapping[LOCAL_MODEL.name]}]


def test_every_reference_resolves_and_every_response_has_a_description(document: Json) -> None:
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split('"#/components/')[1:]}:
        kind, _, component = name.partition("/")
        assert component in document["components"][kind]
    responses = [r for item in document["paths"].values() for op in item.values() for r in op["responses"].values()]
    assert all("$ref" in response or response["description"] for response in responses)


def test_the_segmenter_is_described_as_it_is(document: Json) -> None:
    wanted = read_body(b'{"content": "One.<|endoftext|>", "return_tokens": true, "return_chunks": true}', lenient=False)
    reply = segment(wanted, vocabulary(wanted.tokenizer))
    assert set(reply) == set(SegmentResponse.model_fields)
    assert SegmentResponse.model_validate(reply).num_tokens == 3
    schemas = document["components"]["schemas"]
    assert set(schemas["SegmentRequest"]["properties"]) == set(type(wanted).__dataclass_fields__)
    for path in PATHS:
        operations = document["paths"][path]
        assert operations["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("Request")
        query = {parameter["name"]: "x" for parameter in operations["get"]["parameters"]} | {"tokenizer": "gpt2"}
        assert read_query(query).content == "x"
        assert {} in operations["get"]["security"]


def test_what_is_relayed_says_who_needs_a_key_and_what_may_come(document: Json) -> None:
    for path in RELAYED:
        assert set(document["paths"][path]) == {"get", "post"}
        for operation in document["paths"][path].values():
            assert ({} in operation["security"]) is path.startswith("/reader")
            assert "422" in operation["responses"]
    assert {"application/json", "text/plain", "text/event-stream"} == set(
        document["paths"]["/reader/{url}"]["get"]["responses"]["200"]["content"]
    )
