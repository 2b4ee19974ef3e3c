"""P: the batch operations' wire contract: a request's body → what is wanted; a job → its status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, cast

import orjson
from pydantic import Field, StrictBool

from gateway.catalogue.model import Family
from gateway.endpoints.body import check, choose, conflict, decode, drop_unknown
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.schemas import Component, Request
from gateway.endpoints.schemas_embeddings import Upto1024  # noqa: TC001 - pydantic evaluates annotations
from gateway.errors import AddressError, FieldError, invalid_request
from gateway.guard import check_object, check_posted, check_url, is_storage
from gateway.ports.jobs import State
from gateway.vocabulary import Json  # noqa: TC001 - as above
from gateway.vocabulary.when import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue.model import Model
    from gateway.config.schema import Config
    from gateway.config.snapshot import Snapshot
    from gateway.ports.jobs import Batch

NAME: Final = "batch"
CREATE: Final = "/v1/batch/embeddings"
ONE: Final = "/v1/batch/"
ALL: Final = "/v1/batches"
OUTPUT: Final = ("output", "errors")
"""What can be fetched of a job, at its path with this word."""

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 1_000

_TASKS = {"retrieval": "retrieval.passage"}
"""The batch operation's own word for the task of what is to be found later."""

_EMBEDDINGS = Embeddings()


class _Fields(Request):
    """What jobs of all models have."""

    input_url: str | None = None
    input: list[dict[str, Json]] | None = None
    normalized: StrictBool | None = True
    webhook_url: str | None = None


class BatchEmbeddingRequest(_Fields):
    """A job for one of the contract's models."""

    model: Literal["jina-embeddings-v5-text-nano", "jina-embeddings-v5-text-small"]
    task: str | None = "text-matching"
    dimensions: Upto1024 | None = None


class OwnBatchEmbeddingRequest(_Fields):
    """A job for an embedding model of this gateway's own."""

    model: str
    dimensions: Annotated[int, Field(strict=True, ge=1)] | None = None


class BatchStats(Component):
    """Lines and tokens of a job."""

    total: int
    completed: int = 0
    failed: int = 0
    total_tokens: int = 0


class BatchStatus(Component):
    """A job."""

    batch_id: str
    status: Literal["pending", "processing", "completed", "failed", "expired", "cancelled"]
    model: str
    created_at: str
    completed_at: str | None = None
    expires_at: str | None = None
    output_url: str | None = None
    error_file_url: str | None = None
    error: str | None = None
    stats: BatchStats | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked request: the catalogue's model name, its options as JSON, and the lines or where they are."""

    model: str
    options: str
    lines: bytes | None
    total: int | None
    input_url: str
    webhook_url: str


def read_request(body: bytes, snapshot: Snapshot) -> Wanted:
    """What a body asks for; addresses as far as they can be judged before they are looked up.

    Raises:
        GatewayError: INPUT_INVALID, INPUT_MODEL_NOT_FOUND.
    """
    fields = decode(body)
    model, family = choose(fields, _EMBEDDINGS.name, snapshot)
    own = family is Family.OWN_EMBEDDINGS
    schema: type[_Fields] = OwnBatchEmbeddingRequest if own else BatchEmbeddingRequest
    if snapshot.config.server.validation == "lenient":
        drop_unknown(fields, schema)
    request = check(schema, fields, model)
    lines = request.input
    _check_input(request, model, snapshot)
    return Wanted(
        model=model.name,
        options=_options(request, model, snapshot),
        lines=None if lines is None else b"".join(orjson.dumps(line) + b"\n" for line in lines),
        total=None if lines is None else len(lines),
        input_url=request.input_url or "",
        webhook_url=request.webhook_url or "",
    )


def read_limit(query: Mapping[str, str]) -> int:
    """How many jobs a list may have. Raises GatewayError: INPUT_INVALID."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise invalid_request((FieldError("query -> limit", "must be a whole number above 0", "int_parsing"),))
    return min(int(text[:9]), HIGHEST_LIMIT)


def status_of(batch: Batch, links: Mapping[str, str]) -> dict[str, Json]:
    """The contract's BatchStatus; `links` are the addresses of what can be fetched, by OUTPUT's words."""
    order, tally = batch.order, batch.tally
    fetchable = batch.state.ended and batch.state is not State.EXPIRED
    stats = None
    if batch.total is not None:
        stats = {
            "total": batch.total,
            "completed": tally.completed,
            "failed": tally.failed,
            "total_tokens": tally.tokens,
        }
    return {
        "batch_id": order.id,
        "status": batch.state.value,
        "model": order.model,
        "created_at": shown(order.created),
        "completed_at": None if batch.ended is None else shown(batch.ended),
        "expires_at": shown(order.expires),
        "output_url": links["output"] if fetchable and tally.completed else None,
        "error_file_url": links["errors"] if fetchable and tally.failed else None,
        "error": batch.error or None,
        "stats": stats,
    }


def _check_input(request: _Fields, model: Model, snapshot: Snapshot) -> None:
    most = snapshot.config.jobs.max_inline
    errors = []
    if (request.input is None) == (request.input_url is None):
        errors.append(conflict(model, "input", "either input or input_url must be given", None))
    elif request.input is not None and not 0 < len(request.input) <= most:
        errors.append(conflict(model, "input", f"must have 1 to {most:,} lines; more go by input_url", None))
    for name in ("input_url", "webhook_url"):
        url = cast("str | None", getattr(request, name))
        reason = None if url is None else _wrong_address(url, snapshot.config, told=name == "webhook_url")
        if reason is not None:
            errors.append(conflict(model, name, reason, url))
    if errors:
        raise invalid_request(tuple(errors))


def _wrong_address(url: str, config: Config, *, told: bool) -> str | None:
    """What is wrong with an address; `told`: something is posted to it."""
    try:
        if told:
            check_posted(url, config.fetch.networks)
        elif is_storage(url):
            check_object(url, config.jobs.inputs)
        else:
            check_url(url, config.fetch.networks)
    except AddressError as error:
        return f"The address {error}"
    return None


def _options(request: _Fields, model: Model, snapshot: Snapshot) -> str:
    """What changes the vectors, checked as an embeddings call's; what such a call need not say is left out."""
    options = {name: getattr(request, name, None) for name in ("task", "dimensions", "normalized")}
    given = {name: value for name, value in options.items() if value is not None}
    if "task" in given:
        given["task"] = _TASKS.get(given["task"], given["task"])
    _EMBEDDINGS.validate(orjson.dumps({"model": model.name, "input": ["a"], **given}), snapshot)
    return orjson.dumps(given).decode()
