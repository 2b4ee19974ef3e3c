"""P: an Infinity server as a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.answering import OK, believed, dense, labels, scores
from gateway.backends.apportion import shares
from gateway.backends.asking import bearer, given, post, texts
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind, Silent
from gateway.backends.reading import UnreadableError, failure, in_order, json_of, message_of, total_tokens
from gateway.vocabulary import Inline, Modality, Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Answer, Json, Piece

_CHARACTERS_PER_TOKEN = 4
_NOT_SERVED = "ModelNotDeployedError"
_TYPES = {Modality.IMAGE: "image/png", Modality.AUDIO: "audio/wav"}


class Infinity(Silent):
    """Dialect `infinity`.

    The routes are below whatever `--url-prefix` says, which is the end of the backend's URL. A server of one model
    answers for it whatever name was asked for, so the name in the answer must be the one that was asked for.
    """

    name = "infinity"
    limits = CallLimits(inputs=2048, documents=2048, media=32)
    health: str | None = "/models"

    def encode(self, ask: Ask) -> Exchange:
        """`POST /embeddings`, `/rerank` or `/classify`. There is no switch for cutting long texts: they are cut."""
        authorization = bearer(ask.credential)
        match ask.job.shape:
            case Shape.SCORE:
                body: dict[str, Json] = {"model": ask.model, "query": ask.job.query, "documents": texts(ask)}
                return post("/rerank", body, authorization)
            case Shape.LABELS:
                return post("/classify", {"model": ask.model, "input": texts(ask)}, authorization)
            case _:
                return post("/embeddings", _embeddings_body(ask), authorization)

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """OpenAI's list, a ranking, or labels; OpenAI's error object, or FastAPI's list of errors."""
        if reply.status != OK:
            missing = message_of(reply.body).startswith(_NOT_SERVED)
            return Outcome(OutcomeKind.MODEL_NOT_FOUND) if missing else failure(reply)
        return believed(lambda: _answers(ask, json_of(reply)))


def _embeddings_body(ask: Ask) -> dict[str, Json]:
    parts = [part for unit in ask.units for item in unit for part in item.parts]
    modality = parts[0].modality
    return given(
        model=ask.model,
        input=[_address(part) for part in parts],
        # One call has one modality (CallLimits.media): a text among images is refused there.
        modality=modality.value,
        encoding_format="base64",
        dimensions=dict(ask.job.parameters).get("dimensions"),
    )


def _address(part: Piece) -> str:
    """A text, a URL, or bytes as a data URI; the server looks into the bytes for their kind."""
    return f"data:{_TYPES[part.modality]};base64,{part.value}" if isinstance(part, Inline) else part.value


def _answers(ask: Ask, content: Json) -> list[Answer]:
    if not isinstance(content, dict):
        raise UnreadableError("the body is not an object")
    named = content.get("model")
    if isinstance(named, str) and named.rpartition("/")[2] != ask.model.rpartition("/")[2]:
        raise UnreadableError("the answer is of another model")
    tokens = _tokens(ask, total_tokens(content.get("usage")))
    match ask.job.shape:
        case Shape.SCORE:
            return scores(ask, content.get("results"), "relevance_score", tokens)
        case Shape.LABELS:
            return labels(ask, content.get("data"), tokens)
        case _:
            entries = in_order(content.get("data"), len(ask.units), ordered=True)
            return dense(ask, [entry.get("embedding") for entry in entries], tokens)


def _tokens(ask: Ask, total: int | None) -> list[int]:
    """Usage counts characters unless the server was told to tokenise (`--lengths-via-tokenize`).

    A total that is exactly the number of characters is replaced by an estimate; what images count as, by their height,
    is taken as characters, too.
    """
    parts = [part for unit in ask.units for item in unit for part in item.parts]
    if total is not None and any(part.modality is not Modality.TEXT for part in parts):
        return shares(-(-total // _CHARACTERS_PER_TOKEN), ask)
    characters = sum(len(part.value) + len(ask.job.query or "") for part in parts)
    return shares(None if total == characters else total, ask)
