"""P: text-embeddings-inference's request bodies and its two error shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.processes.local_model.limits import DIMENSIONS, MAX_BATCH_TEXTS

if TYPE_CHECKING:
    from gateway.vocabulary import Json

Texts = str | list[str]


class Body(BaseModel):
    """Unknown fields are ignored, as text-embeddings-inference does."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, strict=True)


class EmbedBody(Body):
    """`POST /embed`. This model has no prompts, and cuts on the right only."""

    inputs: Texts
    truncate: bool | None = False
    truncation_direction: Literal["right", "Right"] | None = None
    prompt_name: None = None
    normalize: bool = True
    dimensions: Annotated[int, Field(ge=1, le=DIMENSIONS)] | None = None


class TokensBody(Body):
    """`POST /embed_all` and `POST /embed_sparse`: neither is normalised."""

    inputs: Texts
    truncate: bool | None = False
    truncation_direction: Literal["right", "Right"] | None = None
    prompt_name: None = None


class OpenAIBody(Body):
    """`POST /v1/embeddings`: too long texts are cut, as text-embeddings-inference does by default on this route."""

    input: Texts
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, le=DIMENSIONS)] | None = None


class RerankBody(Body):
    """`POST /rerank`. `raw_scores` changes nothing here: a cosine has no logit behind it."""

    query: str
    texts: list[str]
    truncate: bool | None = False
    raw_scores: bool = False
    return_text: bool = False


class RefusalError(Exception):
    """A request that is not served: HTTP status, the kind text-embeddings-inference names, a sentence."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message

    def native(self) -> Json:
        """The shape of the server's own routes."""
        return {"error": self.message, "error_type": self.kind}

    def openai(self) -> Json:
        """The shape of the routes below /v1."""
        return {"message": self.message, "code": self.status, "type": self.kind}


def overloaded() -> RefusalError:
    """As many requests as allowed are waiting."""
    return RefusalError(429, "Overloaded", "Model is overloaded")


def invalid(message: str) -> RefusalError:
    """The body is not what the route takes."""
    return RefusalError(422, "Validation", message)


def listed(texts: Texts, *, limit: int = MAX_BATCH_TEXTS) -> list[str]:
    """The texts of a call as a list.

    Raises:
        RefusalError: 400 `Empty` for none or an empty one, 422 `Validation` for more than `limit`.
    """
    found = [texts] if isinstance(texts, str) else texts
    if not found or not all(found):
        raise RefusalError(400, "Empty", "inputs cannot be empty")
    if len(found) > limit:
        raise invalid(f"batch size {len(found)} > maximum allowed batch size {limit}")
    return found
