from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.endpoints import front
from gateway.endpoints.embeddings import Embeddings
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Answer, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

COLBERT, V4 = "jina-colbert-v2", "jina-embeddings-v4"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"model": COLBERT, "input": ["a"], "input_type": "query", "dimensions": 64}, {}),
        ({"model": COLBERT, "input": ["a"], "embedding_type": "base64"}, {}),
        ({"model": COLBERT, "input": ["a"], "encoding_format": "float"}, {}),
        ({"model": V4, "input": ["a"]}, {"return_multivector": True}),
    ],
)
def test_it_is_the_embeddings_endpoint(theirs: Json, ours: Json, make_snapshot: Callable[..., Snapshot]) -> None:
    endpoint, snapshot = front("/v1/multi-vector", "r-1"), make_snapshot()
    assert endpoint is not None
    job = endpoint.validate(json.dumps(theirs).encode(), snapshot)
    assert job == Embeddings().validate(json.dumps(theirs | ours).encode(), snapshot)
    assert job.shape is Shape.MULTI
    answers = [Answer(Shape.MULTI, np.ones(256, "<f4").tobytes(), 128, 2)]
    assert endpoint.assemble(job, answers) == Embeddings().assemble(job, answers)
    assert endpoint.stream(job, answers) is None
    assert len(json.loads(endpoint.assemble(job, answers))["data"][0]["embeddings"]) == 2


def test_a_model_with_one_vector_a_text_is_refused(make_snapshot: Callable[..., Snapshot]) -> None:
    endpoint = front("/v1/multi-vector", "r-1")
    assert endpoint is not None
    with pytest.raises(GatewayError, match="one vector a text") as caught:
        endpoint.validate(b'{"model": "jina-embeddings-v3", "input": "a"}', make_snapshot())
    assert caught.value.code is Code.INPUT_INVALID
