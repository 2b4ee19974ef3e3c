"""P: what is relayed, in the OpenAPI document: the contract's chat completions, and the services beside the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.endpoints.openapi_parts import as_json, responses

if TYPE_CHECKING:
    from gateway.vocabulary import Json

_OBJECT: Json = {"additionalProperties": True, "type": "object"}
_STREAM = "text/event-stream"

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
        got = {"operationId": f"{name}_get", "summary": summary, "parameters": [parameter], **shared}
        body = {"type": "object", "properties": {field: {"type": "string"}}, "additionalProperties": True}
        sent = {"required": True, "content": as_json(body)}
        paths[f"/{name}/{{{field}}}"] = {"get": got}
        posted = {"operationId": f"{name}_post", "summary": summary, "requestBody": sent, **shared}
        paths[f"/{name}/"] = {"post": posted}
    return paths


def tuning_paths() -> dict[str, Json]:
    """The pass-through of the retired beta."""
    call = {
        "operationId": "fine_tuning_post",
        "summary": "Pass a fine-tuning call to the Jina API",
        "tags": ["Fine-tuning"],
        "security": [{"HTTPBearer": []}],
        "requestBody": {"required": True, "content": as_json(_OBJECT)},
        "responses": responses(_OBJECT, checked=True),
    }
    return {"/v1/fine-tuning": {"post": call}}


def _answers() -> dict[str, Json]:
    """Text, JSON or snapshots; and what the service itself refuses, in its own words."""
    found = responses(_OBJECT, checked=True)
    text = {"schema": {"type": "string"}}
    found["200"]["content"] |= {"text/plain": text, _STREAM: text}
    found["4XX"] = {"description": "The service refuses what was sent, in its own words", "content": as_json(_OBJECT)}
    return found
