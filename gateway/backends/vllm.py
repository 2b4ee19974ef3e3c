"""P: a vLLM server of a pooling model as a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.answering import OK, believed, scores
from gateway.backends.apportion import shares
from gateway.backends.asking import bearer, given, post, texts
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind
from gateway.backends.openai import embeddings, embeddings_body, error_of
from gateway.backends.reading import UnreadableError, failure, json_of, total_tokens
from gateway.ports import Exchange
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import RawReply
    from gateway.vocabulary import Answer, Json

_TO_THE_CONTEXT = -1
"""`truncate_prompt_tokens`: cut what is longer than the model reads, instead of refusing it."""


_LONG_ECHO = 4_096
"""Characters of documents above which `/v1/score` is asked: `/v1/rerank` answers with all of them once more."""


def rerank_body(ask: Ask) -> dict[str, Json]:
    """What vLLM and others took over from Cohere's and Jina's rerank: documents as texts, all of them ranked."""
    return {"model": ask.model, "query": ask.job.query, "documents": texts(ask)}


def ranked(ask: Ask, content: Json) -> list[Answer]:
    """`{results: [{index, relevance_score, …}], usage}`; echoes of documents are passed over.

    Raises:
        UnreadableError: it is not that, or not for every document.
    """
    if not isinstance(content, dict):
        raise UnreadableError("the body is not an object")
    tokens = shares(total_tokens(content.get("usage")), ask)
    return scores(ask, content.get("results"), "relevance_score", tokens)


def _scored(ask: Ask, content: Json) -> list[Answer]:
    """As `ranked`, or `{data: [{index, score}], usage}`, whichever was asked for.

    Raises:
        UnreadableError: it is neither.
    """
    if not isinstance(content, dict) or "data" not in content:
        return ranked(ask, content)
    return scores(ask, content["data"], "score", shares(total_tokens(content.get("usage")), ask))


class VLLM:
    """Dialect `vllm`. A field that is null is refused there, so what is not asked for is left out."""

    name = "vllm"
    limits = CallLimits()
    health: str | None = "/health"

    def encode(self, ask: Ask) -> Exchange:
        """`POST /v1/embeddings`, `POST /v1/rerank`, or `POST /v1/score` for long documents: the same numbers."""
        rerank = ask.job.shape is Shape.SCORE
        cut = given(
            truncate_prompt_tokens=_TO_THE_CONTEXT
            if dict(ask.job.parameters).get("truncation" if rerank else "truncate")
            else None
        )
        if not rerank:
            return post("/v1/embeddings", embeddings_body(ask) | cut, bearer(ask.credential))
        if sum(map(len, texts(ask))) > _LONG_ECHO:
            body: dict[str, Json] = {"model": ask.model, "text_1": ask.job.query, "text_2": texts(ask)}
            return post("/v1/score", body | cut, bearer(ask.credential))
        return post("/v1/rerank", rerank_body(ask) | cut, bearer(ask.credential))

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """OpenAI's list or a ranking. A model of another name is refused by the server itself."""
        if reply.status != OK:
            missing = error_of(reply).get("type") == "NotFoundError"
            return Outcome(OutcomeKind.MODEL_NOT_FOUND) if missing else failure(reply)
        read = _scored if ask.job.shape is Shape.SCORE else embeddings
        return believed(lambda: read(ask, json_of(reply)))

    def inquire(self, credential: str | None) -> Exchange | None:
        """`GET /v1/models` names `max_model_len` of each."""
        return Exchange("GET", "/v1/models", headers=bearer(credential))

    def learn(self, reply: RawReply, model: str) -> CallLimits:
        """Tokens of one input."""
        try:
            content = json_of(reply)
        except UnreadableError:
            return CallLimits()
        listed = content.get("data") if isinstance(content, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and entry.get("id") == model:
                most = entry.get("max_model_len")
                return CallLimits(each=most) if type(most) is int and most > 0 else CallLimits()
        return CallLimits()
