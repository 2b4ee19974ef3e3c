"""P: Cohere's embed and rerank, versions 1 and 2, in front of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, cast

import orjson

from gateway.endpoints.body import choose, decode
from gateway.endpoints.embeddings_reply import gathered, is_large, listed, vectors
from gateway.endpoints.front import ErrorShape, Front, Shown, read_front, refusal, spoken, task_of
from gateway.endpoints.rerank import Rerank
from gateway.endpoints.schemas_cohere import (
    CohereEmbedRequest,
    CohereEmbedV1Request,
    CohereRerankRequest,
    CohereRerankV1Request,
    contents_of,
    text_of,
)
from gateway.errors import invalid_request
from gateway.vocabulary import Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.embeddings_reply import EmbeddingsPresentation
    from gateway.vocabulary import Answer, Job, Json


class CohereEmbed(Front):
    """POST /v2/embed: vectors keyed by type."""

    name: Final = "embeddings"
    errors: ErrorShape = "cohere"
    version: ClassVar[str] = "2"
    schema: ClassVar[type[CohereEmbedRequest]] = CohereEmbedRequest

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        asked = read_front(self.schema, decode(body), snapshot)
        model, _ = choose({"model": asked.model}, self.name, snapshot)
        if model.shape is not Shape.DENSE:
            wrong = refusal(("model",), f"'{model.name}' has no single vector of a text; use /v1/embeddings")
            raise invalid_request((wrong,))
        source, contents = contents_of(asked)
        fields: dict[str, Json] = {"model": asked.model, "input": contents}
        if task := task_of(model, asked.input_type):
            fields["task"] = task
        if asked.output_dimension is not None:
            fields["dimensions"] = asked.output_dimension
        if asked.truncate == "END":
            fields["truncate"] = True
        with spoken({"input": source, "dimensions": "output_dimension"}):
            job = self.embeddings.validate(orjson.dumps(fields), snapshot)
        types = None if asked.embedding_types is None else tuple(dict.fromkeys(asked.embedding_types))
        return replace(job, presentation=Shown(job.presentation, texts=asked.texts, types=types))

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        return b"".join(self._pieces(job, answers))

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same in pieces, where it is large; see Endpoint.stream."""
        return gathered(self._pieces(job, answers)) if is_large(answers) else None

    def _pieces(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None]:
        shown = cast("Shown", job.presentation)
        form: EmbeddingsPresentation = shown.ours
        types = shown.types or self._default_types()
        yield orjson.dumps(self._head(job, answers, shown))[:-1] + b',"embeddings":'
        if types is None:
            yield from listed(vectors(answers, form))
        else:
            for position, kind in enumerate(types):
                yield (b"," if position else b"{") + orjson.dumps(kind) + b":"
                yield from listed(vectors(answers, form._replace(types=(kind,))))
            yield b"}"
        yield b"}"

    def _default_types(self) -> tuple[str, ...] | None:
        return ("float",)

    def _head(self, job: Job, answers: Sequence[Answer], shown: Shown) -> dict[str, Json]:
        images = sum(part.modality is Modality.IMAGE for unit in job.units for item in unit for part in item.parts)
        kind = "embeddings_by_type" if shown.types or self._default_types() else "embeddings_floats"
        head = {"id": self.request_id, "response_type": kind, "meta": _meta(self.version, answers, images)}
        return head | ({} if shown.texts is None else {"texts": shown.texts})


class CohereEmbedV1(CohereEmbed):
    """POST /v1/embed: a bare list of vectors, unless types are named."""

    version: ClassVar[str] = "1"
    schema: ClassVar[type[CohereEmbedRequest]] = CohereEmbedV1Request

    def _default_types(self) -> tuple[str, ...] | None:
        return None


class CohereRerank(Front):
    """POST /v2/rerank."""

    name: Final = "rerank"
    errors: ErrorShape = "cohere"
    version: ClassVar[str] = "2"
    schema: ClassVar[type[CohereRerankRequest]] = CohereRerankRequest

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        asked = read_front(self.schema, decode(body), snapshot)
        texts = [text_of(document, asked.rank_fields) for document in asked.documents]
        fields: dict[str, Json] = {"model": asked.model, "query": asked.query, "documents": texts}
        fields["return_documents"] = False
        if asked.top_n is not None:
            fields["top_n"] = asked.top_n
        if asked.max_tokens_per_doc is not None:
            fields["max_doc_length"] = asked.max_tokens_per_doc
        with spoken({"max_doc_length": "max_tokens_per_doc"}):
            job = Rerank().validate(orjson.dumps(fields), snapshot)
        echoed = [{"text": it} if isinstance(it, str) else it for it in asked.documents]
        return replace(job, presentation=Shown(job.presentation, echoed if asked.return_documents else None))

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble. Best first."""
        shown = cast("Shown", job.presentation)
        ours = orjson.loads(Rerank().assemble(replace(job, presentation=shown.ours), answers))
        results = [{name: place[name] for name in ("index", "relevance_score")} for place in ours["results"]]
        if shown.documents is not None:
            for result in results:
                result["document"] = shown.documents[result["index"]]
        meta = _meta(self.version, answers)
        return orjson.dumps({"id": self.request_id, "results": results, "meta": meta})

    def stream(self, job: Job, answers: Sequence[Answer]) -> None:
        """Never: what is ranked has few bytes; see Endpoint.stream."""
        del job, answers


class CohereRerankV1(CohereRerank):
    """POST /v1/rerank of Cohere's own clients."""

    version: ClassVar[str] = "1"
    schema: ClassVar[type[CohereRerankRequest]] = CohereRerankV1Request


def _meta(version: str, answers: Sequence[Answer], images: int = 0) -> dict[str, Json]:
    """We bill tokens alone, so there are no search units."""
    units = {"input_tokens": sum(answer.tokens for answer in answers)} | ({"images": images} if images else {})
    return {"api_version": {"version": version}, "billed_units": units}
