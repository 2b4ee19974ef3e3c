"""P: llama.cpp's server as a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.backends.answering import OK, believed, wants_unit_length
from gateway.backends.asking import bearer, given, post
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind
from gateway.backends.openai import embeddings, embeddings_body
from gateway.backends.reading import UnreadableError, failure, json_of, message_of
from gateway.backends.vllm import ranked, rerank_body
from gateway.ports import Exchange
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import RawReply

_NOT_SUPPORTED = 501
_AS_THEY_ARE = -1
_TOO_LONG = "too large to process"
"""An input over the physical batch size is refused as if the server had failed."""


class LlamaCpp:
    """Dialect `llamacpp`. It serves its one model under whatever name is asked, and answers with that name."""

    name = "llamacpp"
    limits = CallLimits()
    health: str | None = "/health"

    def encode(self, ask: Ask) -> Exchange:
        """`POST /v1/embeddings` or `POST /v1/rerank`; it neither cuts texts nor shortens vectors."""
        if ask.job.shape is Shape.SCORE:
            return post("/v1/rerank", rerank_body(ask), bearer(ask.credential))
        body = embeddings_body(ask)
        body.pop("dimensions", None)
        body |= given(embd_normalize=None if wants_unit_length(ask) else _AS_THEY_ARE)
        return post("/v1/embeddings", body, bearer(ask.credential))

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """OpenAI's list or a ranking."""
        if reply.status != OK:
            return _refusal(reply)
        read = ranked if ask.job.shape is Shape.SCORE else embeddings
        return believed(lambda: read(ask, json_of(reply)))

    def inquire(self, credential: str | None) -> Exchange | None:
        """`GET /props` tells the context of a slot."""
        return Exchange("GET", "/props", headers=bearer(credential))

    def learn(self, reply: RawReply, model: str) -> CallLimits:
        """Tokens of one input; there is one model."""
        del model
        try:
            content = json_of(reply)
        except UnreadableError:
            return CallLimits()
        settings = content.get("default_generation_settings") if isinstance(content, dict) else None
        most = settings.get("n_ctx") if isinstance(settings, dict) else None
        return CallLimits(each=most) if type(most) is int and most > 0 else CallLimits()


def _refusal(reply: RawReply) -> Outcome:
    """A server that was started for another use answers 501; only its operator can help that."""
    if reply.status == _NOT_SUPPORTED:
        return Outcome(OutcomeKind.REFUSED)
    outcome, said = failure(reply), message_of(reply.body)
    return replace(outcome, kind=OutcomeKind.INVALID, message=said) if _TOO_LONG in said else outcome
