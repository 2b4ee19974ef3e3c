"""P: the older bulk route in the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.endpoints.bulk import BELOW, PATH, RESULT
from gateway.endpoints.openapi_parts import ref, responses

if TYPE_CHECKING:
    from gateway.vocabulary import Json

_TAG = "Bulkembeddings"
_ID = {"in": "path", "name": "job_id", "required": True, "schema": {"type": "string"}}
_SUMMARIES = {
    ("", "post"): ("start", "Embed each row of a CSV file"),
    ("{job_id}", "get"): ("get", "How far a bulk job is"),
    ("{job_id}/" + RESULT, "post"): ("download", "Where the result of a bulk job is"),
}


class BulkForm(BaseModel):
    """What is uploaded."""

    model_config = ConfigDict(title="Body_start_bulk_embedding_v1_bulk_embeddings_post")

    file: Annotated[str, WithJsonSchema({"type": "string", "format": "binary"})]
    email: Annotated[str | None, WithJsonSchema({"type": "string", "format": "email"})] = None
    model: str


class BulkEmbeddingJobResponse(BaseModel):
    """A bulk job."""

    id: Annotated[str, Field(alias="_id")]
    user_id: str
    status: Literal["waiting", "in-progress", "failed", "completed"]
    file_name: str
    model_name: str
    created_at: str | None = None
    completed_at: str | None = None
    used_token_count: int | None = None
    user_email: str | None = None
    error: str | None = None


class DownloadResultResponse(BaseModel):
    """Where a result is."""

    id: str
    download_url: str


BULK_SCHEMAS: tuple[type[BaseModel], ...] = (BulkForm, BulkEmbeddingJobResponse, DownloadResultResponse)


def bulk_paths() -> dict[str, Json]:
    """The two operations of the older API, and one that shows a job."""
    paths: dict[str, Json] = {}
    for (rest, method), (name, summary) in _SUMMARIES.items():
        reply = DownloadResultResponse if name == "download" else BulkEmbeddingJobResponse
        operation: dict[str, Json] = {
            "operationId": f"bulk_embeddings_{name}",
            "summary": summary,
            "tags": [_TAG],
            "security": [{"HTTPBearer": []}],
            "responses": responses(ref(reply.__name__), checked=True),
        }
        if rest:
            operation["parameters"] = [_ID]
        else:
            content = {"multipart/form-data": {"schema": ref(BulkForm.__name__)}}
            operation["requestBody"] = {"required": True, "content": content}
        paths[BELOW + rest if rest else PATH] = {method: operation}
    return paths
