"""P: Ollama as a backend, by its native route, which alone can refuse what is too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.answering import OK, believed, dense
from gateway.backends.apportion import shares
from gateway.backends.asking import bearer, given, post, texts
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind, Silent
from gateway.backends.reading import UnreadableError, failure, json_of

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Answer

_NOT_FOUND = 404


class Ollama(Silent):
    """Dialect `ollama`. It has no rerank; its vectors are normalised, also where that was not asked for."""

    name = "ollama"
    limits = CallLimits()
    health: str | None = "/api/version"

    def encode(self, ask: Ask) -> Exchange:
        """`POST /api/embed`."""
        parameters = dict(ask.job.parameters)
        cut = bool(parameters.get("truncate", False))
        asked = parameters.get("dimensions")
        body = given(model=ask.model, input=texts(ask), truncate=cut, dimensions=asked)
        return post("/api/embed", body, bearer(ask.credential))

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """`{embeddings, prompt_eval_count}`, in order; 404 with an `error` is a model that was not pulled."""
        if reply.status == OK:
            return believed(lambda: _vectors(ask, reply))
        outcome = failure(reply)
        missing = reply.status == _NOT_FOUND and b'"error"' in reply.body
        return Outcome(OutcomeKind.MODEL_NOT_FOUND) if missing else outcome


def _vectors(ask: Ask, reply: RawReply) -> list[Answer]:
    content = json_of(reply)
    rows = content.get("embeddings") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise UnreadableError("the body has no embeddings")
    count = content.get("prompt_eval_count")
    return dense(ask, rows, shares(count if type(count) is int and count >= 0 else None, ask))
