"""P: the batch operations in the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.catalogue.model import Family
from gateway.endpoints.batch import (
    ALL,
    CREATE,
    DEFAULT_LIMIT,
    OUTPUT,
    BatchEmbeddingRequest,
    BatchStats,
    BatchStatus,
    OwnBatchEmbeddingRequest,
)
from gateway.endpoints.openapi_parts import as_json, ref, responses

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

BATCH_SCHEMAS: tuple[type[BaseModel], ...] = (BatchEmbeddingRequest, OwnBatchEmbeddingRequest, BatchStats, BatchStatus)

_TAG = "Batch Embeddings"
_ID = {"in": "path", "name": "batch_id", "required": True, "schema": {"type": "string"}}
_STATUS = ref(BatchStatus.__name__)
_FETCHED = {"output": "Fetch what was answered, as JSON lines", "errors": "Fetch what was refused, as JSON lines"}


def batch_paths(snapshot: Snapshot) -> dict[str, Json]:
    """The six operations; models of the gateway's own are offered where they are served."""
    body: Json = ref(BatchEmbeddingRequest.__name__)
    if any(served.model.embeddings is Family.OWN_EMBEDDINGS for served in snapshot.served.values()):
        body = {"anyOf": [body, ref(OwnBatchEmbeddingRequest.__name__)]}
    limit = {"type": "integer", "default": DEFAULT_LIMIT}
    listing = {"in": "query", "name": "limit", "required": False, "schema": limit}
    one = "/v1/batch/{batch_id}"
    paths: dict[str, Json] = {
        CREATE: {
            "post": {
                **_operation("create_batch_job_v1_batch_embeddings_post", "Begin a batch job", _STATUS),
                "requestBody": {"required": True, "content": as_json(body)},
            }
        },
        one: {
            "get": _operation("get_batch_status_v1_batch__batch_id__get", "How far a job is", _STATUS, _ID),
            "delete": _operation("cancel_batch_job_v1_batch__batch_id__delete", "Cancel a job", _STATUS, _ID),
        },
        ALL: {
            "get": _operation(
                "list_batch_jobs_v1_batches_get", "The latest jobs", {"type": "array", "items": _STATUS}, listing
            )
        },
    }
    for kind in OUTPUT:
        name = f"download_batch_{kind}_v1_batch__batch_id__{kind}_get"
        paths[f"{one}/{kind}"] = {"get": _operation(name, _FETCHED[kind], {}, _ID)}
    return paths


def _operation(name: str, summary: str, reply: Json, *parameters: Json) -> dict[str, Json]:
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": [_TAG],
        "security": [{"HTTPBearer": []}],
        "responses": responses(reply, checked=True),
    }
    return {**operation, "parameters": list(parameters)} if parameters else operation
