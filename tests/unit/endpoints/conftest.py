from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL
from gateway.config.schema import Config
from gateway.config.snapshot import Route, Served, Snapshot
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.rerank import Rerank
from gateway.errors import Code, FieldError, GatewayError

if TYPE_CHECKING:
    from gateway.vocabulary import Job, Json

FIXTURES = Path(__file__).parents[2] / "fixtures"


class MakeSnapshot(Protocol):
    def __call__(self, *, only: tuple[str, ...] | None = None, **config: Json) -> Snapshot: ...


class Validate(Protocol):
    def __call__(self, body: object, **config: Json) -> Job: ...


class Refuse(Protocol):
    def __call__(self, body: object, **config: Json) -> tuple[FieldError, ...]: ...


def _snapshot(*, only: tuple[str, ...] | None = None, **config: Json) -> Snapshot:
    served: dict[str, Served] = {}
    for model in (*CATALOGUE.values(), LOCAL_MODEL):
        if only is None or model.name in only:
            entry = Served(model, (Route("somewhere", model.name),))
            served[model.name] = served[model.qualified_name] = entry
    if LOCAL_MODEL.name in served:
        served["small"] = served[LOCAL_MODEL.name]
    return Snapshot(Config(**config), served, {}, b"secret")


@pytest.fixture
def make_snapshot() -> MakeSnapshot:
    """A Snapshot that serves the whole catalogue and the local model (alias `small`), or `only` those named."""
    return _snapshot


def _validate(body: object, **config: Json) -> Job:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    rerank = isinstance(body, dict) and "documents" in body
    return (Rerank() if rerank else Embeddings()).validate(raw, _snapshot(**config))


@pytest.fixture
def validate() -> Validate:
    """The Job of a body; rerank if it has documents."""
    return _validate


@pytest.fixture
def refuse() -> Refuse:
    """The field errors of a body that must be refused."""

    def run(body: object, **config: Json) -> tuple[FieldError, ...]:
        with pytest.raises(GatewayError) as caught:
            _validate(body, **config)
        assert caught.value.code is Code.INPUT_INVALID
        assert caught.value.errors
        return caught.value.errors

    return run


@pytest.fixture
def contract_facts() -> Json:
    return json.loads((FIXTURES / "contract_facts.json").read_bytes())


@pytest.fixture
def own_models_facts() -> Json:
    return json.loads((FIXTURES / "own_models_facts.json").read_bytes())
