"""P: OpenAI's embeddings API, and the many servers that speak it, as a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.backends.answering import OK, believed, dense
from gateway.backends.apportion import shares
from gateway.backends.asking import bearer, given, post, texts
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind, Silent
from gateway.backends.reading import UnreadableError, failure, in_order, json_of, total_tokens
from gateway.errors import Code

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Answer, Json

_NO_SUCH_MODEL = frozenset({"model_not_found", "DeploymentNotFound"})
_TOO_MUCH = "max_tokens_per_request"
_NO_QUOTA = "insufficient_quota"


def embeddings_body(ask: Ask) -> dict[str, Json]:
    """Vectors in base64, of full length unless a shorter one cannot be derived from it."""
    asked = dict(ask.job.parameters).get("dimensions")
    return given(model=ask.model, input=texts(ask), encoding_format="base64", dimensions=asked)


def embeddings(ask: Ask, content: Json) -> list[Answer]:
    """`{data: [{index, embedding}], usage}`.

    Raises:
        UnreadableError: it is not that, or not for every input.
    """
    if not isinstance(content, dict):
        raise UnreadableError("the body is not an object")
    entries = in_order(content.get("data"), len(ask.units), ordered=True)
    tokens = shares(total_tokens(content.get("usage")), ask)
    return dense(ask, [entry.get("embedding") for entry in entries], tokens)


def error_of(reply: RawReply) -> dict[str, Json]:
    """The object in `error`; empty where there is none."""
    try:
        content = json_of(reply)
    except UnreadableError:
        return {}
    error = content.get("error") if isinstance(content, dict) else None
    return error if isinstance(error, dict) else {}


def refusal(reply: RawReply) -> Outcome:
    """What a failure of OpenAI or Azure means; the error's `code` tells more than the status."""
    outcome, code = failure(reply), error_of(reply).get("code")
    if code in _NO_SUCH_MODEL:
        return Outcome(OutcomeKind.MODEL_NOT_FOUND)
    if code == _TOO_MUCH:
        return replace(outcome, kind=OutcomeKind.TOO_LARGE)
    if code == _NO_QUOTA:  # a 429, but no pause ends it
        return Outcome(OutcomeKind.REFUSED, code=Code.AUTHZ_INSUFFICIENT_BALANCE, of_key=True)
    return outcome


class OpenAI(Silent):
    """Dialect `openai`. Compatible servers answer with a path or another name in `model`, so it is not compared."""

    name = "openai"
    limits = CallLimits(inputs=2048, tokens=300_000)
    health: str | None = None

    def encode(self, ask: Ask) -> Exchange:
        """`POST /v1/embeddings`."""
        return post("/v1/embeddings", embeddings_body(ask), bearer(ask.credential))

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """OpenAI's list, or its error object."""
        return believed(lambda: embeddings(ask, json_of(reply))) if reply.status == OK else refusal(reply)
