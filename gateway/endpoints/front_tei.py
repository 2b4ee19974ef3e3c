"""P: text-embeddings-inference's /embed, /rerank and /info in front of ours; calls there name no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, cast

import orjson

from gateway.endpoints.body import decode
from gateway.endpoints.embeddings_reply import gathered, is_large, listed, vectors
from gateway.endpoints.front import ErrorShape, Front, Shown, read_front, refusal, spoken, task_of, tasks_of
from gateway.endpoints.rerank import Rerank
from gateway.endpoints.schemas_tei import TeiEmbedRequest, TeiRerankRequest
from gateway.errors import invalid_request
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.embeddings_reply import EmbeddingsPresentation
    from gateway.vocabulary import Answer, Job, Json

_PROMPTS = {"query": "search_query", "passage": "search_document", "document": "search_document"}
"""What prompts are usually called that stand for a model's retrieval tasks."""


class TeiEmbed(Front):
    """POST /embed: a bare list of vectors."""

    name: Final = "embeddings"
    errors: ErrorShape = "tei"

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        asked = read_front(TeiEmbedRequest, decode(body), snapshot)
        model = default_model(snapshot, self.name)
        if model.shape is not Shape.DENSE:
            raise invalid_request((refusal((), f"Model '{model.name}' has no single vector of a text"),))
        fields: dict[str, Json] = {"model": model.name, "input": asked.inputs}
        if asked.prompt_name is not None:
            fields["task"] = _task(model, asked.prompt_name)
        if asked.dimensions is not None:
            fields["dimensions"] = asked.dimensions
        if asked.truncate:
            fields["truncate"] = True
        if not asked.normalize:
            fields["normalized"] = False
        with spoken({"input": "inputs", "normalized": "normalize"}):
            job = self.embeddings.validate(orjson.dumps(fields), snapshot)
        return replace(job, presentation=Shown(job.presentation))

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        return b"".join(self._pieces(job, answers))

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same in pieces, where it is large; see Endpoint.stream."""
        return gathered(self._pieces(job, answers)) if is_large(answers) else None

    def _pieces(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None]:
        form: EmbeddingsPresentation = cast("Shown", job.presentation).ours
        yield from listed(vectors(answers, form))


class TeiRerank(Front):
    """POST /rerank: a bare list of places, best first, all of them."""

    name: Final = "rerank"
    errors: ErrorShape = "tei"

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        asked = read_front(TeiRerankRequest, decode(body), snapshot)
        model = default_model(snapshot, self.name)
        fields: dict[str, Json] = {"model": model.name, "query": asked.query, "documents": asked.texts}
        fields["return_documents"] = False
        if asked.truncate:
            fields["truncation"] = True
        with spoken({"documents": "texts", "truncation": "truncate"}):
            job = Rerank().validate(orjson.dumps(fields), snapshot)
        echoed: list[Json] | None = [*asked.texts] if asked.return_text else None
        return replace(job, presentation=Shown(job.presentation, echoed))

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        shown = cast("Shown", job.presentation)
        ours = orjson.loads(Rerank().assemble(replace(job, presentation=shown.ours), answers))
        places = [{"index": place["index"], "score": place["relevance_score"]} for place in ours["results"]]
        if shown.documents is not None:
            for place in places:
                place["text"] = shown.documents[place["index"]]
        return orjson.dumps(places)

    def stream(self, job: Job, answers: Sequence[Answer]) -> None:
        """Never: what is ranked has few bytes; see Endpoint.stream."""
        del job, answers


def default_model(snapshot: Snapshot, endpoint: Literal["embeddings", "rerank"]) -> Model:
    """The model of calls that name none: the one that the config names, else the only one that fits.

    Those that have no single vector of a text do not fit /embed.

    Raises:
        GatewayError: INPUT_INVALID; it is not clear which one.
    """
    named = snapshot.config.server.default_models.get(endpoint)
    if named is not None and named in snapshot.served:
        return snapshot.served[named].model
    models = {served.model.name: served.model for served in snapshot.served.values() if served.model.family(endpoint)}
    dense = {name: model for name, model in models.items() if model.shape is Shape.DENSE}
    able = dense if dense and endpoint == "embeddings" else models
    if len(able) != 1:
        message = (
            f"Calls here name no model, and {len(able) or 'none'} are served: let the gateway's setting "
            f"server.default_models.{endpoint} name one"
        )
        raise invalid_request((refusal((), message, "missing"),))
    return next(iter(able.values()))


def _task(model: Model, prompt: str) -> str:
    """A prompt's name is a task's, or what such a prompt is usually called. Raises GatewayError: it is neither."""
    tasks = tasks_of(model)
    if prompt in tasks:
        return prompt
    task = task_of(model, _PROMPTS.get(prompt, prompt))
    if task is None:
        known = f"it has {', '.join(tasks)}" if tasks else "it has none"
        message = f"Model '{model.name}' has no prompt of that name; {known}"
        raise invalid_request((refusal(("prompt_name",), message, value=prompt),))
    return task


def info(snapshot: Snapshot) -> bytes:
    """The reply to GET /info. Raises GatewayError: it is not clear which model answers without being named."""
    model = default_model(snapshot, "embeddings")
    server = snapshot.config.server
    return orjson.dumps(
        {
            "model_id": model.qualified_name,
            "model_sha": None,
            "model_dtype": "float32",
            "model_type": {"embedding": {"pooling": "mean"}},
            "max_concurrent_requests": 512,
            "max_input_length": model.context_length,
            "max_batch_tokens": model.context_length * 512,
            "max_batch_requests": None,
            "max_client_batch_size": 2_048,
            "auto_truncate": False,
            "tokenization_workers": server.workers or 1,  # where the machine decides, what is true of each worker
            "version": "1.9.0",
            "sha": None,
            "docker_label": None,
        }
    )
