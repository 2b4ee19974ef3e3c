"""P: the request schemas of /v1/classify, named as the contract names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic_core import InitErrorDetails, PydanticKnownError, ValidationError

from gateway.catalogue.model import Family
from gateway.endpoints.items import MAX_ERRORS, read_input
from gateway.endpoints.schemas import AudioDoc, Flag, ImageDoc, Items, Request, TextDoc, TextInput, VideoDoc, reader
from gateway.vocabulary import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationInfo

    from gateway.vocabulary import Json

LabelSets: TypeAlias = tuple[tuple[str | None, tuple[str, ...]], ...]
"""Name and labels of each set that a classification chooses from; a plain list is one set without a name."""

_TEXT = frozenset({Modality.TEXT})


def read_labels(value: Json, _info: ValidationInfo) -> LabelSets:
    """`labels`: a list, or an object of lists by name. Whether they make sense is looked at later.

    Raises:
        ValidationError: one line for each that is not a text.
    """
    if type(value) is list:
        sets: LabelSets = ((None, tuple(value)),)
    elif type(value) is dict:
        if wrong := [name for name, labels in value.items() if type(labels) is not list]:
            raise _complaint([("list_type", (name,), value[name]) for name in wrong])
        sets = tuple([(name, tuple(labels)) for name, labels in value.items()])
    else:
        raise PydanticKnownError("list_type")
    lines = [
        ("string_type", (position,) if name is None else (name, position), label)
        for name, labels in sets
        for position, label in enumerate(labels)
        if type(label) is not str
    ]
    if lines:
        raise _complaint(lines)
    return sets


def _complaint(lines: Sequence[tuple[str, tuple[str | int, ...], Json]]) -> ValidationError:
    details = [InitErrorDetails(type=kind, loc=place, input=value) for kind, place, value in lines[:MAX_ERRORS]]
    return ValidationError.from_exception_data("labels", details)


Labels: TypeAlias = Annotated[LabelSets, reader(read_labels, list[str] | dict[str, list[str]])]
ImageInput: TypeAlias = Annotated[Items, reader(read_input, str | TextDoc | ImageDoc | list[str | TextDoc | ImageDoc])]

MediaInput: TypeAlias = Annotated[
    Items,
    reader(
        read_input,
        str | TextDoc | ImageDoc | VideoDoc | AudioDoc | list[str | TextDoc | ImageDoc | VideoDoc | AudioDoc],
    ),
]


class ZeroShotRequest(Request):
    """What every classification without training carries beside `model` and `input`.

    `accepted` is what inputs may be; for embeddings a model may take more.
    """

    accepted: ClassVar[frozenset[Modality]] = _TEXT

    labels: Labels


class EmbeddingsV2ZeroShotClassificationRequest(ZeroShotRequest):
    """jina-embeddings-v2-*."""

    model: Literal[
        "jina-embeddings-v2-base-en",
        "jina-embeddings-v2-base-zh",
        "jina-embeddings-v2-base-de",
        "jina-embeddings-v2-base-es",
        "jina-embeddings-v2-base-code",
    ]
    input: TextInput


class EmbeddingsV3ZeroShotClassificationRequest(ZeroShotRequest):
    """jina-embeddings-v3."""

    model: Literal["jina-embeddings-v3"]
    input: TextInput


class EmbeddingsV4ZeroShotClassificationRequest(ZeroShotRequest):
    """jina-embeddings-v4."""

    model: Literal["jina-embeddings-v4"]
    input: TextInput


class EmbeddingsV5ZeroShotClassificationRequest(ZeroShotRequest):
    """jina-embeddings-v5-text-*."""

    model: Literal["jina-embeddings-v5-text-nano", "jina-embeddings-v5-text-small"]
    input: TextInput


class ClipZeroShotClassificationRequest(ZeroShotRequest):
    """jina-clip-*: texts and images."""

    accepted: ClassVar[frozenset[Modality]] = _TEXT | {Modality.IMAGE}

    model: Literal["jina-clip-v1", "jina-clip-v2"]
    input: ImageInput


class CodeEmbeddingsZeroShotClassificationRequest(ZeroShotRequest):
    """jina-code-embeddings-*."""

    model: Literal["jina-code-embeddings-0.5b", "jina-code-embeddings-1.5b"]
    input: TextInput


class OwnZeroShotClassificationRequest(ZeroShotRequest):
    """An embedding model of this gateway's own."""

    accepted: ClassVar[frozenset[Modality]] = frozenset({Modality.TEXT, Modality.IMAGE, Modality.AUDIO, Modality.VIDEO})

    model: str
    input: MediaInput
    truncate: Flag | None = False


class FewShotClassificationRequest(Request):
    """A classifier that was trained."""

    classifier_id: str
    input: TextInput


SCHEMAS: dict[Family, type[ZeroShotRequest]] = {
    Family(schema.__name__): schema
    for schema in (
        EmbeddingsV2ZeroShotClassificationRequest,
        EmbeddingsV3ZeroShotClassificationRequest,
        EmbeddingsV4ZeroShotClassificationRequest,
        EmbeddingsV5ZeroShotClassificationRequest,
        ClipZeroShotClassificationRequest,
        CodeEmbeddingsZeroShotClassificationRequest,
        OwnZeroShotClassificationRequest,
    )
}
"""In the contract's order; ours last."""
