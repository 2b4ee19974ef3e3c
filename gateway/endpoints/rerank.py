"""P: POST /v1/rerank: request → Job, answers → reply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import orjson

from gateway.catalogue.model import Family
from gateway.endpoints.body import check, choose, decode, drop_unknown
from gateway.endpoints.items import points_elsewhere
from gateway.endpoints.parameters import parameters
from gateway.endpoints.schemas_rerank import SCHEMAS
from gateway.vocabulary import Job, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Answer, Item, Json

_TEXT = frozenset({Modality.TEXT})


@dataclass(frozen=True, slots=True)
class RerankPresentation:
    """How a ranking is shown: how many places, and the documents to echo as they were sent (None: no echo)."""

    top_n: int | None = None
    documents: list[Json] | None = None


class Rerank:
    """The rerank endpoint."""

    name: Final = "rerank"

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        fields = decode(body)
        model, family = choose(fields, self.name, snapshot)
        schema = SCHEMAS[family]
        lenient = snapshot.config.server.validation == "lenient"
        warnings = drop_unknown(fields, schema) if lenient else ()
        # Rankers of our own read text, whatever the same model embeds.
        reads = replace(model, modalities=_TEXT) if family is Family.OWN_RERANKER else model
        request = check(schema, fields, reads)
        # A field of each of the schemas but, differing, not of their base.
        items: tuple[Item, ...] = vars(request)["documents"]
        return Job(
            endpoint=self.name,
            model=model.name,
            revision=model.revision,
            units=(items,) if model.listwise else tuple([(item,) for item in items]),
            shape=Shape.RANKING if model.listwise else Shape.SCORE,
            parameters=tuple(parameters(request)),
            presentation=RerankPresentation(
                top_n=request.top_n,
                documents=None if request.return_documents is False else fields["documents"],
            ),
            query=request.query,
            whole=model.listwise,
            storable=snapshot.config.cache.url_inputs or not points_elsewhere(items),
            warnings=warnings,
        )

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble. Best first; equal scores in the order sent."""
        presentation = cast("RerankPresentation", job.presentation)
        read = _places if job.shape is Shape.RANKING else _scores
        results = read(answers, presentation.top_n)
        if presentation.documents is not None:
            for result in results:
                result["document"] = presentation.documents[result["index"]]
        tokens = sum(answer.tokens for answer in answers)
        usage = {"total_tokens": tokens}
        return orjson.dumps({"model": job.model, "object": "list", "usage": usage, "results": results})

    def stream(self, job: Job, answers: Sequence[Answer]) -> None:
        """Never: what is ranked has few bytes beside what the client sent; see Endpoint.stream."""
        del job, answers


def _scores(answers: Sequence[Answer], top_n: int | None) -> list[dict[str, Json]]:
    """Pointwise: one float64 an answer."""
    scores = np.frombuffer(b"".join([answer.payload for answer in answers]), dtype="<f8")
    order = np.argsort(-scores, kind="stable")[:top_n]
    return [
        {"index": index, "relevance_score": score}
        for index, score in zip(order.tolist(), scores[order].tolist(), strict=True)
    ]


def _places(answers: Sequence[Answer], top_n: int | None) -> list[dict[str, Json]]:
    """Listwise: one answer holds all places, each with its score and perhaps an embedding."""
    places: list[dict[str, Json]] = orjson.loads(answers[0].payload)
    places.sort(key=lambda place: (-place["relevance_score"], place["index"]))
    return places[:top_n]
