"""P: bodies in text-embeddings-inference's dialect."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gateway.endpoints.schemas import WHOLE, Flag, Request

Whole: TypeAlias = Annotated[int, Field(strict=True), WHOLE]
_Ids: TypeAlias = Annotated[list[Annotated[int, Field(strict=True)]], Field(min_length=1)]


class TeiEmbedRequest(Request):
    """POST /embed: texts, or token ids."""

    inputs: str | Annotated[list[str], Field(min_length=1)] | _Ids | Annotated[list[_Ids], Field(min_length=1)]
    normalize: Flag | None = True
    truncate: Flag | None = False
    truncation_direction: Literal["Right", "right"] | None = "Right"
    prompt_name: str | None = None
    dimensions: Whole | None = None


class TeiRerankRequest(Request):
    """POST /rerank. Scores are as /v1/rerank has them; a model's raw ones are not known here."""

    query: str
    texts: Annotated[list[str], Field(min_length=1)]
    truncate: Flag | None = False
    truncation_direction: Literal["Right", "right"] | None = "Right"
    raw_scores: Literal[False] | None = False
    return_text: Flag | None = False
