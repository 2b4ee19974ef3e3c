"""P: POST /v1/embeddings: request → Job, answers → reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.catalogue.model import Family
from gateway.endpoints.body import check, choose, conflict, decode, drop_unknown, unify_spellings
from gateway.endpoints.embeddings_reply import DEFAULT_TYPE, EmbeddingsPresentation, is_large, pieces, whole
from gateway.endpoints.items import points_elsewhere
from gateway.endpoints.parameters import parameters
from gateway.endpoints.schemas_embeddings import SCHEMAS
from gateway.endpoints.token_ids import is_ids, texts_of
from gateway.errors import invalid_request
from gateway.vocabulary import Job, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.parameters import Parameter
    from gateway.endpoints.schemas import Items
    from gateway.endpoints.token_ids import Spellings
    from gateway.vocabulary import Answer, Json


class Embeddings:
    """The embeddings endpoint. `spellings` has the vocabularies of token ids; without it there are none."""

    name: Final = "embeddings"

    def __init__(self, spellings: Spellings = lambda _: None) -> None:
        self._spellings = spellings

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate."""
        fields = decode(body)
        model, family = choose(fields, self.name, snapshot)
        spelling = unify_spellings(fields)
        fields.pop("user", None)  # OpenAI's: who asks, in the client's words; nothing here depends on it
        if is_ids(fields.get("input")):
            fields["input"] = texts_of(fields["input"], model, self._spellings)
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
        as_one = "late_chunking" in flags
        shape = _shape(model, items, flags)
        presentation = _presentation(values, model, shape)
        sent += _not_derivable(values, shape, presentation)
        return Job(
            endpoint=self.name,
            model=model.name,
            revision=model.revision,
            units=(items,) if as_one else tuple([(item,) for item in items]),
            shape=shape,
            parameters=tuple(sorted(sent)),
            presentation=presentation,
            whole=as_one,
            storable=snapshot.config.cache.url_inputs or not points_elsewhere(items),
            warnings=warnings,
        )

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        return whole(job, answers)

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same in pieces, where it is large; see Endpoint.stream."""
        return pieces(job, answers) if is_large(answers) else None


def _refuse_conflicts(values: Mapping[str, Json], model: Model) -> None:
    """Fields that exclude or need each other (API contract)."""
    errors = []
    multivector, dimensions = values.get("return_multivector"), values.get("dimensions")
    if multivector and dimensions is not None:
        errors.append(conflict(model, "dimensions", "dimensions cannot be used with return_multivector", dimensions))
    if multivector and not model.multivector:
        errors.append(conflict(model, "return_multivector", "this model has one vector an input"))
    if dimensions is not None and model.shape is Shape.SPARSE:
        errors.append(conflict(model, "dimensions", "sparse vectors cannot be shortened", dimensions))
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
        types=DEFAULT_TYPE if kinds is None else (kinds,) if isinstance(kinds, str) else kinds,
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
    if shape is Shape.VERBATIM and (presentation.keyed or presentation.types != DEFAULT_TYPE):
        yield "embedding_type", ",".join(presentation.types)
