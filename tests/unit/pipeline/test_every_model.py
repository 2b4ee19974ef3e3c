"""Every embedding model of the catalogue, in every form it has: each answer is the upstream's own for that request."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pybase64
import pytest
from fakes.gateway import Gateway, configured
from fakes.jina_upstream import embeddings

from gateway.catalogue.embeddings import MODELS
from gateway.catalogue.model import Family, Model
from gateway.config.schema import Tier
from gateway.vocabulary import Shape

EXACT = 2e-7
"""Half a unit in the last place of a float32 of unit length, twice (their rounding and ours)."""

TYPES = ["float", "base64", "binary", "ubinary", ["float", "binary", "ubinary", "base64"]]
NORMALIZED = {Family.EMBEDDINGS_V2, Family.EMBEDDINGS_V3, Family.EMBEDDINGS_V5, Family.CLIP_V1, Family.CLIP_V2}


def forms(model: Model) -> list[dict[str, Any]]:
    """What a client may ask of a model; the first is asked of the upstream."""
    if model.shape is Shape.SPARSE:
        return [{}, {}]
    types = TYPES[:-1] if model.shape is Shape.MULTI else TYPES
    forms: list[dict[str, Any]] = [{"embedding_type": kind} for kind in types]
    if model.embeddings in NORMALIZED:
        raw = [{**form, "normalized": False} for form in forms]
        forms = [*raw, {"normalized": True}, *forms]
    if model.matryoshka:
        sizes = (1, 32, 33, 256, model.dimensions - 1, model.dimensions)
        forms += [{**form, "dimensions": size} for form in tuple(forms) for size in sizes]
    return forms


def close(ours: Any, theirs: Any) -> None:
    """The same, but for the last digit of float32."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in theirs:
            close(ours[name], theirs[name])
    elif isinstance(theirs, list) and not isinstance(theirs[0], float | int):
        for left, right in zip(ours, theirs, strict=True):
            close(left, right)
    elif isinstance(theirs, str):
        close(*(np.frombuffer(pybase64.b64decode(text), "<f4").tolist() for text in (ours, theirs)))
    else:
        np.testing.assert_allclose(ours, theirs, atol=EXACT, rtol=EXACT)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
async def test_every_form_is_the_upstreams_own_and_paid_once(model: Model) -> None:
    gateway = Gateway(configured(tiers={"small": Tier()}))
    for form in forms(model):
        body = {"model": model.name, "input": ["one text", "and another"], **form}
        reply, _ = await gateway.ask("embeddings", orjson.dumps(body))
        asked = gateway.upstream.calls[0]
        defaults = {name: asked[name] for name in ("task", "input_type") if name in asked}
        truth, ours = embeddings(body | defaults), orjson.loads(reply.body)
        assert ours["usage"] == truth["usage"]
        for left, right in zip(ours["data"], truth["data"], strict=True):
            for name in right.keys() - {"object", "index"}:
                close(left[name], right[name])
    assert len(gateway.upstream.calls) == 1
