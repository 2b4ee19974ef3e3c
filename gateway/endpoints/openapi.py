"""P: the OpenAPI 3.1 document of the routes in this gateway, generated from the schemas that check requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import orjson
from pydantic.json_schema import models_json_schema

from gateway.catalogue.model import Family
from gateway.endpoints.openapi_batch import BATCH_SCHEMAS, batch_paths
from gateway.endpoints.openapi_bulk import BULK_SCHEMAS, bulk_paths
from gateway.endpoints.openapi_fronts import FRONT_SCHEMAS, front_paths
from gateway.endpoints.openapi_parts import FAILURES, as_json, ref, responses
from gateway.endpoints.openapi_relays import CHAT, service_paths, tuning_paths
from gateway.endpoints.openapi_train import COMPONENTS as TRAIN_COMPONENTS
from gateway.endpoints.openapi_train import classifier_paths
from gateway.endpoints.schemas_classify import SCHEMAS as CLASSIFY_SCHEMAS
from gateway.endpoints.schemas_classify import FewShotClassificationRequest
from gateway.endpoints.schemas_embeddings import SCHEMAS as EMBEDDINGS_SCHEMAS
from gateway.endpoints.schemas_replies import REPLIES
from gateway.endpoints.schemas_rerank import SCHEMAS as RERANK_SCHEMAS
from gateway.endpoints.schemas_train import SCHEMAS as TRAIN_SCHEMAS
from gateway.endpoints.schemas_train import UpdateTrainingRequest
from gateway.endpoints.segment import PATHS as SEGMENT_PATHS
from gateway.endpoints.segment import QUERY, SegmentRequest, SegmentResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.schemas import Request
    from gateway.vocabulary import Json

API_VERSION = "2026.05.13.2128"
"""The version of the API contract that the schemas follow."""

_OWN = (Family.OWN_EMBEDDINGS, Family.OWN_RERANKER, Family.OWN_ZERO_SHOT)

_SEARCH = "Search Foundation Models"
_CLASSIFICATION = "Zero/Few-shot Classification"

_PROBES = {
    "health": "Whether the process answers.",
    "ready": "Whether the process and its store answer.",
    "live": "Whether the process answers, whatever else is down.",
}


def openapi(snapshot: Snapshot) -> bytes:
    """The document, as JSON; models of the gateway's own are offered where they are served."""
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Gateway", "version": API_VERSION},
            "paths": _paths(snapshot),
            "components": {
                "schemas": _schemas(),
                "responses": {
                    name: {"description": text, "content": as_json(ref("ErrorResponse"))}
                    for name, text in FAILURES.values()
                },
                "securitySchemes": {"HTTPBearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _schemas() -> dict[str, Json]:
    classes: list[type[BaseModel]] = [*EMBEDDINGS_SCHEMAS.values(), *RERANK_SCHEMAS.values()]
    classes += [*CLASSIFY_SCHEMAS.values(), FewShotClassificationRequest, *REPLIES, SegmentRequest, SegmentResponse]
    classes += [*BATCH_SCHEMAS, *BULK_SCHEMAS, *FRONT_SCHEMAS, *TRAIN_COMPONENTS]
    _, document = models_json_schema(
        [(schema, "validation") for schema in classes], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Json] = document["$defs"]
    return schemas


def _paths(snapshot: Snapshot) -> dict[str, Json]:
    embed = _body("embeddings", EMBEDDINGS_SCHEMAS, snapshot)
    rerank = _body("rerank", RERANK_SCHEMAS, snapshot)
    few_shot = ref(FewShotClassificationRequest.__name__)
    classify = {"anyOf": [_body("classify", CLASSIFY_SCHEMAS, snapshot), few_shot]}
    train = {"anyOf": [_body("train", TRAIN_SCHEMAS, snapshot), ref(UpdateTrainingRequest.__name__)]}
    paths: dict[str, Json] = {
        "/v1/embeddings": {"post": _call("embeddings", _SEARCH, "EmbeddingResponse", embed)},
        "/v1/rerank": {"post": _call("rerank", _SEARCH, "RerankingResponse", rerank)},
        "/v1/classify": {"post": _call("classify", _CLASSIFICATION, "ClassificationResponse", classify)},
        "/v1/train": {"post": _call("train", _CLASSIFICATION, "TrainingResponse", train)},
        **classifier_paths(_CLASSIFICATION),
        "/v1/models": {
            "get": {
                "operationId": "list_models_v1_models_get",
                "summary": "List the models that are served",
                "tags": ["Model List"],
                "responses": responses(ref("ModelListResponse")),
            }
        },
        "/v1/models/{model_id}": {
            "get": {
                "operationId": "get_model_v1_models__model_id__get",
                "summary": "Describe one model",
                "tags": ["Model List"],
                "parameters": [{"in": "path", "name": "model_id", "required": True, "schema": {"type": "string"}}],
                "responses": responses(ref("ModelInfo"), checked=True),
            }
        },
    }
    paths |= batch_paths(snapshot) | bulk_paths() | front_paths()
    paths |= CHAT | service_paths() | tuning_paths()
    paths |= {path: _segment(path.strip("/").replace("/", "_")) for path in SEGMENT_PATHS}
    for name, summary in _PROBES.items():
        operation = {"operationId": f"{name}_{name}_get", "summary": summary, "tags": ["Health Check"]}
        paths[f"/{name}"] = {"get": {**operation, "responses": responses({})}}
    return paths


def _segment(name: str) -> dict[str, Json]:
    """Both operations of the segmenter, which is not in the contract; a key is good for more calls."""
    both = {
        "tags": ["Segmenter"],
        "security": [{}, {"HTTPBearer": []}],
        "responses": responses(ref("SegmentResponse"), checked=True),
    }
    fields = SegmentRequest.model_json_schema()["properties"]
    query = [{"in": "query", "name": field, "required": field == "content", "schema": fields[field]} for field in QUERY]
    body = {"required": True, "content": as_json(ref("SegmentRequest"))}
    return {
        "get": {"operationId": f"{name}_get", "summary": "Count tokens", "parameters": query, **both},
        "post": {
            "operationId": f"{name}_post",
            "summary": "Cut a text into chunks and tokens",
            "requestBody": body,
            **both,
        },
    }


def _call(name: str, tag: str, reply: str, body: Json) -> dict[str, Json]:
    return {
        "operationId": f"{name}_v1_{name}_post",
        "summary": name.capitalize(),
        "tags": [tag],
        "security": [{"HTTPBearer": []}],
        "requestBody": {"required": True, "content": as_json(body)},
        "responses": responses(ref(reply), checked=True),
    }


def _link(schema: type[Request]) -> str:
    return f"#/components/schemas/{schema.__name__}"


def _body(endpoint: str, schemas: Mapping[Family, type[Request]], snapshot: Snapshot) -> dict[str, Json]:
    """One of the schemas, told apart by `model`: the contract's always, ours for the models that are served."""
    mapping: dict[str, str] = {}
    for family, schema in schemas.items():
        if family not in _OWN:
            names = get_args(schema.model_fields["model"].annotation)
            mapping.update(dict.fromkeys(names, _link(schema)))
    for served in snapshot.served.values():
        own = served.model.family("classify" if endpoint == "train" else endpoint)
        if own in _OWN and own in schemas:
            mapping[served.model.name] = _link(schemas[own])
    offered = [{"$ref": _link(schema)} for schema in schemas.values() if _link(schema) in mapping.values()]
    return {"oneOf": offered, "discriminator": {"propertyName": "model", "mapping": mapping}}
