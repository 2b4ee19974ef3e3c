"""P: how many tokens a backend's own tokenizer makes of a text, where it has a route that tells: it costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.answering import OK
from gateway.backends.asking import bearer, post
from gateway.backends.reading import UnreadableError, json_of

if TYPE_CHECKING:
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Json

_FIELDS = {"vllm": "prompt", "tei": "inputs", "llamacpp": "content"}
"""Dialects with a `POST /tokenize`, and what each calls the text."""


def tokenize(dialect: str, model: str, text: str, credential: str | None) -> Exchange | None:
    """The request; None where a dialect has no such route."""
    if dialect not in _FIELDS:
        return None
    body: dict[str, Json] = {_FIELDS[dialect]: text}
    if dialect == "vllm":
        body["model"] = model
    if dialect == "llamacpp":
        body["add_special"] = True  # as its embeddings do
    return post("/tokenize", body, bearer(credential))


def tokens_of(dialect: str, reply: RawReply) -> int | None:
    """Tokens, special ones among them; None where the reply cannot be read."""
    try:
        content = json_of(reply) if reply.status == OK else None
    except UnreadableError:
        return None
    if dialect == "vllm":
        count = content.get("count") if isinstance(content, dict) else None
        return count if type(count) is int and count >= 0 else None
    listed = content.get("tokens") if dialect == "llamacpp" and isinstance(content, dict) else content
    if dialect == "tei":  # a list a text
        listed = listed[0] if isinstance(listed, list) and listed else None
    return len(listed) if isinstance(listed, list) else None
