"""P: bodies in text-embeddings-inference's dialect."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.endpoints.schemas import Request

_Ids = Annotated[list[Annotated[int, Field(strict=True)]], Field(min_length=1)]


class TeiEmbedRequest(Request):
    """POST /embed: texts, or token ids."""

    inputs: str | Annotated[list[str], Field(min_length=1)] | _Ids | Annotated[list[_Ids], Field(min_length=1)]
    normalize: bool = True
    truncate: bool = False
    truncation_direction: Literal["Right", "right"] = "Right"
    prompt_name: str | None = None
    dimensions: int | None = None


class TeiRerankRequest(Request):
    """POST /rerank. Scores are as /v1/rerank has them; a model's raw ones are not known here."""

    query: str
    texts: Annotated[list[str], Field(min_length=1)]
    truncate: bool = False
    truncation_direction: Literal["Right", "right"] = "Right"
    raw_scores: Literal[False] = False
    return_text: bool = False
