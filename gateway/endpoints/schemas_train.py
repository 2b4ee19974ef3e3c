"""P: the request schemas of /v1/train, named as the contract names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias, cast

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError, ValidationError

from gateway.catalogue.model import Family
from gateway.endpoints.items import MAX_ERRORS
from gateway.endpoints.schemas import Component, Request, reader
from gateway.vocabulary import Item, Modality, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationInfo

    from gateway.catalogue.model import Model
    from gateway.vocabulary import Json

MAX_EXAMPLES = 512
MAX_ITERATIONS = 100
"""The contract names no bound; beyond this a call is a mistake, or an attack."""

_LABEL = "label"
_KINDS = (Modality.TEXT, Modality.IMAGE)


class TextTrainingItem(Component):
    """A text and its label."""

    text: str
    label: str


class ImageTrainingItem(Component):
    """An image (URL, base64 or data URI) and its label."""

    image: str
    label: str


class Example(NamedTuple):
    """An item and its label."""

    item: Item
    label: str


def read_examples(value: Json, info: ValidationInfo, least: int = 2) -> tuple[Example, ...]:
    """`input`: a list of examples, each an object of a text or, where the model reads it, an image, and its label.

    Raises:
        ValidationError: one line for each wrong one.
    """
    if type(value) is not list:
        raise PydanticKnownError("list_type")
    if len(value) < least:
        raise PydanticKnownError("too_short", {"field_type": "List", "min_length": least, "actual_length": len(value)})
    if len(value) > MAX_EXAMPLES:
        sizes = {"field_type": "List", "max_length": MAX_EXAMPLES, "actual_length": len(value)}
        raise PydanticKnownError("too_long", sizes)
    accepted = [kind for kind in _KINDS if kind in cast("Model", info.context).modalities]
    read = [_example(entry, accepted) for entry in value]
    wrong = [at for at, example in enumerate(read) if example is None]
    if wrong:
        message = "Input should be an object of {wanted} and label, all strings"
        kind = PydanticCustomError("item_type", message, {"wanted": " or ".join(accepted)})
        lines = [InitErrorDetails(type=kind, loc=(at,), input=value[at]) for at in wrong[:MAX_ERRORS]]
        raise ValidationError.from_exception_data("input", lines)
    return tuple([example for example in read if example is not None])


def read_more_examples(value: Json, info: ValidationInfo) -> tuple[Example, ...]:
    """The same for an update, where one example may stand alone."""
    return read_examples([value] if isinstance(value, dict) else value, info, least=1)


def _example(value: Json, accepted: Sequence[Modality]) -> Example | None:
    if not isinstance(value, dict):
        return None
    found = [kind for kind in _KINDS if kind in value]
    if len(found) != 1 or found[0] not in accepted:
        return None
    content, label = value[found[0]], value.get(_LABEL)
    if not isinstance(content, str) or not isinstance(label, str):
        return None
    return Example(Item(found[0], (Part(found[0], content),)), label)


def _no_bool(value: Json) -> Json:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


Texts: TypeAlias = Annotated[list[TextTrainingItem], Field(min_length=2, max_length=MAX_EXAMPLES)]
TextsAndImages: TypeAlias = Annotated[
    list[TextTrainingItem | ImageTrainingItem], Field(min_length=2, max_length=MAX_EXAMPLES)
]
TextExamples: TypeAlias = Annotated[tuple[Example, ...], reader(read_examples, Texts)]
ImageExamples: TypeAlias = Annotated[tuple[Example, ...], reader(read_examples, TextsAndImages)]
MoreExamples: TypeAlias = Annotated[
    tuple[Example, ...],
    reader(
        read_more_examples,
        TextTrainingItem | ImageTrainingItem | list[TextTrainingItem | ImageTrainingItem],
    ),
]
Iterations: TypeAlias = Annotated[
    int, Field(ge=1, le=MAX_ITERATIONS), BeforeValidator(_no_bool), WithJsonSchema({"type": "integer"})
]
Access: TypeAlias = Annotated[Literal["public", "private"], WithJsonSchema({"type": "string"})]


class CreateTrainingRequest(Request):
    """What every training of a new classifier carries beside `model` and `input`."""

    access: Access = "public"
    num_iters: Iterations = 10


class EmbeddingsV2CreateTrainingRequest(CreateTrainingRequest):
    """jina-embeddings-v2-*."""

    model: Literal[
        "jina-embeddings-v2-base-en",
        "jina-embeddings-v2-base-zh",
        "jina-embeddings-v2-base-de",
        "jina-embeddings-v2-base-es",
        "jina-embeddings-v2-base-code",
    ]
    input: TextExamples


class EmbeddingsV3CreateTrainingRequest(CreateTrainingRequest):
    """jina-embeddings-v3."""

    model: Literal["jina-embeddings-v3"]
    input: TextExamples


class EmbeddingsV4CreateTrainingRequest(CreateTrainingRequest):
    """jina-embeddings-v4: texts and images."""

    model: Literal["jina-embeddings-v4"]
    input: ImageExamples


class EmbeddingsV5CreateTrainingRequest(CreateTrainingRequest):
    """jina-embeddings-v5-text-*."""

    model: Literal["jina-embeddings-v5-text-nano", "jina-embeddings-v5-text-small"]
    input: TextExamples


class ClipCreateTrainingRequest(CreateTrainingRequest):
    """jina-clip-*: texts and images."""

    model: Literal["jina-clip-v1", "jina-clip-v2"]
    input: ImageExamples


class OwnCreateTrainingRequest(CreateTrainingRequest):
    """An embedding model of this gateway's own."""

    model: str
    input: TextExamples


class UpdateTrainingRequest(Request):
    """More examples for a classifier that there is."""

    classifier_id: str
    input: MoreExamples
    num_iters: Iterations = 10


SCHEMAS: dict[Family, type[CreateTrainingRequest]] = {
    Family.V2_ZERO_SHOT: EmbeddingsV2CreateTrainingRequest,
    Family.V3_ZERO_SHOT: EmbeddingsV3CreateTrainingRequest,
    Family.V4_ZERO_SHOT: EmbeddingsV4CreateTrainingRequest,
    Family.V5_ZERO_SHOT: EmbeddingsV5CreateTrainingRequest,
    Family.CLIP_ZERO_SHOT: ClipCreateTrainingRequest,
    Family.OWN_ZERO_SHOT: OwnCreateTrainingRequest,
}
"""By the schema of the model's classifications; the contract's others cannot be trained. In its order; ours last."""

IMAGES = frozenset({Family.V4_ZERO_SHOT, Family.CLIP_ZERO_SHOT})
"""Those whose examples may be images."""
