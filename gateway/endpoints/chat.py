"""P: POST /v1/chat/completions: what is checked of a request, and how it is asked for; the rest passes as it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.endpoints.body import MAX_ECHO, decode
from gateway.endpoints.chat_gauge import ChatGauge
from gateway.endpoints.events import TYPE as EVENTS
from gateway.endpoints.items import MAX_ERRORS
from gateway.endpoints.passing import Errand, authorization
from gateway.errors import AddressError, FieldError, invalid_request, model_not_found
from gateway.guard import check_url
from gateway.ports import Exchange
from gateway.vocabulary import Item, Job, Modality, Part, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.config.snapshot import Route, Served, Snapshot
    from gateway.vocabulary import Json

NAME: Final = "chat"
PATH: Final = "/v1/chat/completions"

COMPLETION_TOKENS = 1_024
"""Reserved for an answer whose length the request does not bound; what is more is charged when it is counted."""

_DATA = "data:"


class ChatMessage(BaseModel):
    """One message. Fields that are not here pass as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: str = Field(min_length=1, max_length=64)
    content: str | list[dict[str, Any]] | None = None


class ChatStreamOptions(BaseModel):
    """What a stream is to tell."""

    model_config = ConfigDict(extra="allow", frozen=True)

    include_usage: bool | None = None


class ChatCompletionRequest(BaseModel):
    """What a call must be; fields that are not here pass to the backend as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: ChatStreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = Field(None, ge=1, le=128)


def errand_of(body: bytes, snapshot: Snapshot) -> Errand:
    """The call in a body.

    Raises:
        GatewayError: INPUT_INVALID with field errors, or INPUT_MODEL_NOT_FOUND.
    """
    fields = decode(body)
    try:
        request = ChatCompletionRequest.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
        raise invalid_request(
            tuple(FieldError(_path(entry["loc"]), entry["msg"], entry["type"]) for entry in found)
        ) from None
    served = snapshot.served.get(request.model)
    if served is None or not served.model.chat:
        raise model_not_found(request.model[:MAX_ECHO])
    parts = tuple(_parts(request, snapshot))
    asked = request.stream_options is not None and bool(request.stream_options.include_usage)
    if request.stream and not asked:
        fields["stream_options"] = {**(fields.get("stream_options") or {}), "include_usage": True}
    length = request.max_completion_tokens or request.max_tokens
    return Errand(
        job=_job(served, parts),
        served=served,
        exchange=_exchange(fields, snapshot),
        gauge=ChatGauge(hides_usage=not asked),
        most=min(length or COMPLETION_TOKENS, served.model.context_length) * (request.n or 1),
        blamed="body -> messages",
        guess=length is None,
        prompt=True,
    )


def _exchange(fields: dict[str, Json], snapshot: Snapshot) -> Callable[[Route, str | None], tuple[str, Exchange]]:
    accepted = EVENTS if fields.get("stream") else "application/json"

    def exchange(route: Route, credential: str | None) -> tuple[str, Exchange]:
        body = orjson.dumps({**fields, "model": route.backend_model})
        headers = {"content-type": "application/json", "accept": accepted, **authorization(credential)}
        return snapshot.config.backends[route.backend].url, Exchange("POST", PATH, body, headers)

    return exchange


def _job(served: Served, parts: tuple[Part, ...]) -> Job:
    """All messages as one unit: what its prompt costs is estimated from it."""
    item = Item(Modality.GROUP, parts)
    return Job(NAME, served.model.name, served.model.revision, ((item,),), Shape.VERBATIM, (), None, storable=False)


def _parts(request: ChatCompletionRequest, snapshot: Snapshot) -> Iterator[Part]:
    """The texts and images of all messages.

    Raises:
        GatewayError: INPUT_INVALID, an address where no client may send a backend.
    """
    for at, message in enumerate(request.messages):
        if isinstance(message.content, str):
            yield Part(Modality.TEXT, message.content)
            continue
        for index, part in enumerate(message.content or ()):
            yield _part(part, f"body -> messages -> {at} -> content -> {index}", snapshot)


def _part(part: dict[str, Json], path: str, snapshot: Snapshot) -> Part:
    kind = part.get("type")
    if not isinstance(kind, str):
        raise invalid_request((FieldError(f"{path} -> type", "Field required", "missing"),))
    if kind == "text":
        text = part.get("text")
        if not isinstance(text, str):
            raise invalid_request((FieldError(f"{path} -> text", "Input should be a valid string", "string_type"),))
        return Part(Modality.TEXT, text)
    value = part.get(kind)
    address = value.get("url") if isinstance(value, dict) else value
    if not kind.endswith("_url"):
        return Part(Modality.IMAGE, "")
    if not isinstance(address, str):
        raise invalid_request((FieldError(f"{path} -> {kind}", "An address is missing", "missing"),))
    if not address.startswith(_DATA):
        _check_address(address, f"{path} -> {kind} -> url", snapshot)
    return Part(Modality.IMAGE, address)


def _check_address(address: str, path: str, snapshot: Snapshot) -> None:
    """The backend fetches it, and may stand where clients may not reach.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    try:
        check_url(address, snapshot.config.fetch.networks)
    except AddressError as error:
        raise invalid_request((FieldError(path, f"The address {error}", "url_forbidden"),)) from None


def _path(location: tuple[int | str, ...]) -> str:
    return " -> ".join(str(step)[:MAX_ECHO] for step in ("body", *location))
