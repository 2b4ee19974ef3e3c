"""P: POST /v1/embeddings: request → Job, answers → reply."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, cast

import orjson

from gateway.catalogue.model import Family
from gateway.endpoints.body import check, choose, conflict, decode, drop_unknown, unify_spellings
from gateway.endpoints.items import points_elsewhere
from gateway.endpoints.parameters import parameters
from gateway.endpoints.schemas_embeddings import SCHEMAS
from gateway.endpoints.vectors import encode, encode_tokens, matrix, shorten
from gateway.errors import invalid_request
from gateway.vocabulary import Job, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.parameters import Parameter
    from gateway.endpoints.schemas import Items
    from gateway.vocabulary import Answer, Json

_DEFAULT_TYPE = ("float",)
_ELEMENT = b'{"object":"embedding","index":%d,"embedding":%b}'
_BETWEEN_ROWS = b"\n"
"""Never in the JSON of a vector, which has no white space."""

_FRAGMENTS_KEPT = 2
"""Ready-to-send forms kept with an answer; clients ask for one or two."""


@dataclass(frozen=True, slots=True)
class EmbeddingsPresentation:
    """How vectors are shown: encodings, whether keyed by encoding, and the length derived from what is stored."""

    types: tuple[str, ...] = _DEFAULT_TYPE
    keyed: bool = False
    dimensions: int | None = None
    normalized: bool = True


class Embeddings:
    """The embeddings endpoint."""

    name: Final = "embeddings"

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        fields = decode(body)
        model, family = choose(fields, self.name, snapshot)
        spelling = unify_spellings(fields)
        schema = SCHEMAS[family]
        lenient = snapshot.config.server.validation == "lenient"
        warnings = drop_unknown(fields, schema) if lenient else ()
        request = check(schema, fields, model, {"embedding_type": spelling})
        # The schemas differ in their fields; a missing one is looked up faster here than on the instance.
        values = vars(request)
        _refuse_conflicts(values, model)

        items: Items = values["input"]
        sent = parameters(request)
        flags = dict(sent)
        whole = "late_chunking" in flags
        shape = _shape(model, items, flags)
        presentation = _presentation(values, model, shape)
        sent += _not_derivable(values, shape, presentation)
        return Job(
            endpoint=self.name,
            model=model.name,
            revision=model.revision,
            units=(items,) if whole else tuple([(item,) for item in items]),
            shape=shape,
            parameters=tuple(sorted(sent)),
            presentation=presentation,
            whole=whole,
            storable=snapshot.config.cache.url_inputs or not any(map(points_elsewhere, items)),
            warnings=warnings,
        )

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        presentation = cast("EmbeddingsPresentation", job.presentation)
        tokens = sum(answer.tokens for answer in answers)
        usage = {"total_tokens": tokens, "prompt_tokens": tokens}
        data: Json
        if job.shape is Shape.DENSE:
            data = orjson.Fragment(_dense(answers, presentation))
        elif job.shape is Shape.MULTI:
            data = _multi(answers, presentation)
        elif job.shape is Shape.SPARSE:
            data = [orjson.Fragment(answer.payload) for answer in answers]
            usage = {"total_tokens": tokens, "input_tokens": tokens, "output_tokens": 0}
        else:
            data = orjson.Fragment(answers[0].payload)
        reply = {"model": job.model, "object": "list", "usage": usage, "data": data}
        return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)


def _refuse_conflicts(values: Mapping[str, Json], model: Model) -> None:
    """Fields that exclude or need each other (API contract)."""
    errors = []
    multivector, dimensions = values.get("return_multivector"), values.get("dimensions")
    if multivector and dimensions is not None:
        errors.append(conflict(model, "dimensions", "dimensions cannot be used with return_multivector", dimensions))
    if values.get("return_tokenized_input") and not multivector:
        errors.append(conflict(model, "return_tokenized_input", "return_tokenized_input needs return_multivector"))
    if values.get("late_chunking") and any(item.modality is not Modality.TEXT for item in values["input"]):
        errors.append(conflict(model, "late_chunking", "late_chunking takes text only"))
    if errors:
        raise invalid_request(tuple(errors))


def _shape(model: Model, items: Items, flags: Mapping[str, Json]) -> Shape:
    """MULTI has no boundaries inside an answer: a list answered as one, or a PDF's pages, stay as they come."""
    if "return_multivector" not in flags:
        return model.shape
    several = "late_chunking" in flags or items[0].modality is Modality.PDF
    return Shape.VERBATIM if several else Shape.MULTI


def _presentation(values: Mapping[str, Json], model: Model, shape: Shape) -> EmbeddingsPresentation:
    kinds, asked = values["embedding_type"], values.get("dimensions")
    derivable = (
        asked is not None
        and shape is Shape.DENSE
        and (model.matryoshka or model.embeddings is Family.OWN_EMBEDDINGS)
        and asked <= model.dimensions
    )
    return EmbeddingsPresentation(
        types=_DEFAULT_TYPE if kinds is None else (kinds,) if isinstance(kinds, str) else kinds,
        keyed=isinstance(kinds, tuple),
        dimensions=asked if derivable else None,
        normalized=values.get("normalized") is not False,
    )


def _not_derivable(
    values: Mapping[str, Json], shape: Shape, presentation: EmbeddingsPresentation
) -> Iterator[Parameter]:
    """What is presentation for others but must be asked for here."""
    asked = values.get("dimensions")
    if asked is not None and presentation.dimensions is None:
        yield "dimensions", asked
    if shape is Shape.VERBATIM and (presentation.keyed or presentation.types != _DEFAULT_TYPE):
        yield "embedding_type", ",".join(presentation.types)


def _dense(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> bytes:
    """The data list as JSON, an element a row: a PDF has a row a page, a late-chunked list a row an input.

    A vector's JSON is made once for each presentation and kept with the answer, which the in-process cache holds.
    """
    _make_fragments([answer for answer in answers if presentation not in answer.fragments], presentation)
    vectors: list[bytes] = []
    for answer in answers:
        fragment = answer.fragments[presentation]
        vectors += [fragment] if answer.rows == 1 else fragment.split(_BETWEEN_ROWS)
        if len(answer.fragments) > _FRAGMENTS_KEPT:
            answer.fragments.pop(next(iter(answer.fragments)))
    elements = [_ELEMENT % (index, vector) for index, vector in enumerate(vectors)]
    return b"[" + b",".join(elements) + b"]"


def _make_fragments(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> None:
    for width, group in groupby(answers, key=lambda answer: answer.width):
        same = list(group)
        rows = matrix(same[0].payload if len(same) == 1 else b"".join([answer.payload for answer in same]), width)
        if presentation.dimensions is not None:
            rows = shorten(rows, presentation.dimensions, normalized=presentation.normalized)
        vectors = iter(encode(rows, presentation.types, keyed=presentation.keyed))
        for answer in same:
            made = [orjson.dumps(next(vectors), option=orjson.OPT_SERIALIZE_NUMPY) for _ in range(answer.rows)]
            answer.fragments[presentation] = made[0] if len(made) == 1 else _BETWEEN_ROWS.join(made)


def _multi(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> list[Json]:
    data: list[Json] = []
    for index, answer in enumerate(answers):
        rows = matrix(answer.payload, answer.width)
        vectors = encode_tokens(rows, presentation.types, keyed=presentation.keyed)
        element = {"object": "embeddings", "index": index, "embeddings": vectors}
        if answer.extra:
            element["tokenized_input"] = orjson.Fragment(answer.extra)
        data.append(element)
    return data
