"""P: POST /v1/multi-vector, the API's older route for models with a vector a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from gateway.endpoints.body import choose, conflict, decode
from gateway.endpoints.front import Front
from gateway.endpoints.schemas_embeddings import SCHEMAS
from gateway.errors import invalid_request
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Answer, Job


class MultiVector(Front):
    """As POST /v1/embeddings, and of models that can do both always a vector a token."""

    name: Final = "embeddings"
    errors: Final = None

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        fields = decode(body)
        model, family = choose(fields, self.name, snapshot)
        if model.shape is not Shape.MULTI:
            if "return_multivector" not in SCHEMAS[family].model_fields:
                message = "has one vector a text; use /v1/embeddings"
                raise invalid_request((conflict(model, "model", message, model.name),))
            fields["return_multivector"] = True
        return self.embeddings.validate(orjson.dumps(fields), snapshot)

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        return self.embeddings.assemble(job, answers)

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same in pieces, where it is large; see Endpoint.stream."""
        return self.embeddings.stream(job, answers)
