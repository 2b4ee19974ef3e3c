"""P: what is relayed, in the OpenAPI document: the contract's chat completions, and the services beside the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.endpoints.openapi_parts import as_json, responses

if TYPE_CHECKING:
    from gateway.vocabulary import Json

_OBJECT: Json = {"additionalProperties": True, "type": "object"}
_STREAM = "text/event-stream"
_REFUSAL: Json = {"description": "The service refuses what was sent, in its own words", "content": as_json(_OBJECT)}

CHAT: dict[str, Json] = {
    "/v1/chat/completions": {
        "post": {
            "operationId": "chat_completions_v1_chat_completions_post",
            "summary": "Answer messages of text and images, whole or as a stream",
            "description": "The body is OpenAI's: `model`, `messages`, `stream`, `max_tokens`; what else it has passes "
            "to the backend as it is.",
            "tags": ["Search Foundation Models"],
            "security": [{"HTTPBearer": []}],
            "responses": responses(_OBJECT),
        }
    }
}
"""The contract names no schema of the body."""

_READ = ("reader", "url", "Read a page", "The address, as it is, or in the body's `url`.")
_SEARCH = ("search", "q", "Search the web", "The words, or `q` in the query or the body.")
_GROUND = ("ground", "statement", "Hold a statement against the web", "The statement, or in the body's `statement`.")


def service_paths() -> dict[str, Json]:
    """Reader, search and ground; the reader needs no key. What they answer is theirs."""
    paths: dict[str, Json] = {}
    for name, field, summary, about in (_READ, _SEARCH, _GROUND):
        security: Json = [{}, {"HTTPBearer": []}] if name == "reader" else [{"HTTPBearer": []}]
        shared = {"tags": ["Reader"], "security": security, "responses": _answers()}
        parameter = {"in": "path", "name": field, "required": True, "description": about, "schema": {"type": "string"}}
        query = {"in": "query", "name": field, "required": False, "schema": {"type": "string"}}
        paths[f"/{name}/{{{field}}}"] = _both(f"{name}_{field}", summary, [parameter], field, shared)
        paths[f"/{name}/"] = _both(name, summary, [] if name == "reader" else [query], field, shared)
    return paths


def tuning_paths() -> dict[str, Json]:
    """The pass-through of the retired beta."""
    answers = responses(_OBJECT, checked=True)
    answers["4XX"] = _REFUSAL
    shared = {"tags": ["Fine-tuning"], "security": [{"HTTPBearer": []}], "responses": answers}
    return {"/v1/fine-tuning": _both("fine_tuning", "Pass a fine-tuning call to the Jina API", [], "", shared)}


def _both(name: str, summary: str, parameters: list[Json], field: str, shared: dict[str, Json]) -> dict[str, Json]:
    """A GET and a POST; `field` is what a body may name."""
    body: dict[str, Json] = {"type": "object", "additionalProperties": True}
    if field:
        body["properties"] = {field: {"type": "string"}}
    both = {"summary": summary, "parameters": parameters, **shared}
    return {
        "get": {"operationId": f"{name}_get", **both},
        "post": {"operationId": f"{name}_post", "requestBody": {"content": as_json(body)}, **both},
    }


def _answers() -> dict[str, Json]:
    """Text, JSON or snapshots; and what the service itself refuses, in its own words."""
    found = responses(_OBJECT, checked=True)
    text = {"schema": {"type": "string"}}
    found["200"]["content"] |= {"text/plain": text, _STREAM: text}
    found["4XX"] = _REFUSAL
    return found
