"""P: POST /v1/classify without training: made from embeddings here, or asked of a backend that makes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

import orjson

from gateway.catalogue.model import Family, Model
from gateway.endpoints.body import check, choose, decode, drop_unknown
from gateway.endpoints.classify_reply import ClassifyPresentation, is_large, pieces
from gateway.endpoints.items import points_elsewhere
from gateway.endpoints.parameters import implied
from gateway.endpoints.schemas_classify import SCHEMAS, FewShotClassificationRequest
from gateway.endpoints.schemas_embeddings import SCHEMAS as EMBEDDINGS_SCHEMAS
from gateway.errors import FieldError, invalid_labels, invalid_request, label_limit_exceeded, resource_not_found
from gateway.vocabulary import Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.schemas import Items
    from gateway.endpoints.schemas_classify import LabelSets, ZeroShotRequest
    from gateway.vocabulary import Answer, Json

MAX_INPUTS = 512
MAX_SETS = 8
MAX_LABELS_OF_A_SET = 64

_TASKED = frozenset({Family.EMBEDDINGS_V3, Family.EMBEDDINGS_V5})
"""Families whose embeddings have a task for this; the others are asked as without a task."""

_MAX_ECHO = 200
_UNTRAINED = Model(FewShotClassificationRequest.__name__, "", "", "", 0, "", 0)
"""Stands for the model of a classifier that nobody knows: it reads text."""


class Classify:
    """The classify endpoint.

    Where it is made here, the job is one of embeddings: inputs, then labels, each asked, stored and paid as POST
    /v1/embeddings would with the same parameters. Where a backend makes it, the whole call is one unit.
    """

    name: Final = "classify"

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """The job in a body; see Endpoint.validate.

        Raises:
            GatewayError: also INPUT_INVALID_LABELS, INPUT_LABEL_LIMIT_EXCEEDED, and RESOURCE_NOT_FOUND of classifiers.
        """
        fields = decode(body)
        if "classifier_id" in fields:
            _refuse_few_shot(fields)
        model, family = choose(fields, self.name, snapshot)
        schema = SCHEMAS[family]
        lenient = snapshot.config.server.validation == "lenient"
        warnings = drop_unknown(fields, schema) if lenient else ()
        request = check(schema, fields, replace(model, modalities=model.modalities & schema.accepted))
        # A field of each of the schemas but, differing, not of their base.
        items: Items = vars(request)["input"]
        _check_count(items, model)
        _check_labels(request.labels)
        job = self._relayed if snapshot.served[model.name].relays else self._made_here
        return replace(
            job(request, items, model),
            storable=snapshot.config.cache.url_inputs or not any(map(points_elsewhere, items)),
            warnings=warnings,
            labels=tuple([len(labels) for _, labels in request.labels]),
        )

    def _made_here(self, request: ZeroShotRequest, items: Items, model: Model) -> Job:
        family = model.embeddings or Family.OWN_EMBEDDINGS
        task = {"task": "classification"} if family in _TASKED else {}
        return Job(
            endpoint="embeddings",
            model=model.name,
            revision=model.revision,
            units=tuple([(item,) for item in (*items, *_items(request.labels))]),
            shape=model.shape,
            parameters=tuple(implied(EMBEDDINGS_SCHEMAS[family], vars(request) | task)),
            presentation=ClassifyPresentation(request.labels),
        )

    def _relayed(self, request: ZeroShotRequest, items: Items, model: Model) -> Job:
        return Job(
            endpoint=self.name,
            model=model.name,
            revision=model.revision,
            units=((*items, *_items(request.labels)),),
            shape=Shape.VERBATIM,
            parameters=(("labels", orjson.dumps(_wire(request.labels)).decode()),),
            presentation=ClassifyPresentation(request.labels),
            whole=True,
        )

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble. Predictions are in the order of the labels."""
        if job.whole:
            usage = {"total_tokens": answers[0].tokens}
            return orjson.dumps({"data": orjson.Fragment(answers[0].payload), "usage": usage})
        return b"".join(pieces(job, answers))

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same in pieces, where it is large; see Endpoint.stream."""
        return pieces(job, answers) if not job.whole and is_large(job, answers) else None


def _items(sets: LabelSets) -> tuple[Item, ...]:
    return tuple([Item.text(label) for _, labels in sets for label in labels])


def _wire(sets: LabelSets) -> Json:
    """The labels as the contract spells them."""
    named = {name: labels for name, labels in sets if name is not None}
    return named or sets[0][1]


def _check_count(items: Items, model: Model) -> None:
    if len(items) > MAX_INPUTS:
        message = f"List should have at most {MAX_INPUTS} items after validation, not {len(items)}"
        raise invalid_request((FieldError(f"body -> {model.name} -> input", message, "too_long"),))


def _check_labels(sets: LabelSets) -> None:
    """The contract's bounds; how many labels the plan allows is looked at when the caller is known."""
    if len(sets) > MAX_SETS:
        raise invalid_labels(f"At most {MAX_SETS} groups of labels are allowed, and there are {len(sets)}")
    if not sets:
        raise invalid_labels("At least one group of labels is needed")
    for name, labels in sets:
        where = "" if name is None else f" in group '{name[:_MAX_ECHO]}'"
        if not labels:
            raise invalid_labels(f"At least one label is needed{where}")
        if not all(labels):
            raise invalid_labels(f"A label is empty{where}")
        if len(set(labels)) != len(labels):
            raise invalid_labels(f"Labels must be unique{where}: {_first_double(labels)!r} is there twice")
        if name is not None and len(labels) > MAX_LABELS_OF_A_SET:
            raise label_limit_exceeded(len(labels), MAX_LABELS_OF_A_SET)


def _first_double(labels: Sequence[str]) -> str:
    seen: set[str] = set()
    return next(label for label in labels if label in seen or seen.add(label))[:_MAX_ECHO]  # type: ignore[func-returns-value] # add() is for its effect


def _refuse_few_shot(fields: Mapping[str, Json]) -> NoReturn:
    """Nobody can train a classifier here yet, so there is none of any name; what is wrong otherwise is told first."""
    wrong = [
        FieldError(f"body -> {name}", message, "value_error")
        for name, message in (
            ("model", 'only either "model" or "classifier_id" should be provided'),
            ("labels", '"labels" field should not be provided for few-shot classification'),
        )
        if name in fields
    ]
    if wrong:
        raise invalid_request(tuple(wrong))
    request = check(FewShotClassificationRequest, dict(fields), _UNTRAINED)
    _check_count(request.input, _UNTRAINED)
    raise resource_not_found("Classifier", request.classifier_id[:_MAX_ECHO])
