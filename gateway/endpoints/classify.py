"""P: POST /v1/classify: made from embeddings here, or asked of a backend that makes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from gateway.endpoints.body import check, choose, decode, drop_unknown
from gateway.endpoints.classify_reply import LARGE_SCORES, ClassifyPresentation, is_large, pieces
from gateway.endpoints.few_shot import FewShotPresentation, few_shot_pieces, read_few_shot
from gateway.endpoints.items import points_elsewhere
from gateway.endpoints.parameters import classification_parameters
from gateway.endpoints.schemas_classify import SCHEMAS, FewShotClassificationRequest
from gateway.errors import FieldError, invalid_labels, invalid_request, label_limit_exceeded
from gateway.vocabulary import Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.schemas import Items
    from gateway.endpoints.schemas_classify import LabelSets, ZeroShotRequest
    from gateway.endpoints.transaction import FewShot
    from gateway.vocabulary import Answer, Json

MAX_INPUTS = 512
MAX_SETS = 8
MAX_LABELS_OF_A_SET = 64

_MAX_ECHO = 200


class Classify:
    """The classify endpoint.

    Where it is made here, the job is one of embeddings: inputs, then labels, each asked, stored and paid as POST
    /v1/embeddings would with the same parameters. Where a backend makes it, the whole call is one unit.
    """

    name: Final = "classify"

    def validate(self, body: bytes, snapshot: Snapshot) -> Job | FewShot:
        """The job in a body, or inputs for a trained classifier; see Endpoint.validate.

        Raises:
            GatewayError: also INPUT_INVALID_LABELS, INPUT_LABEL_LIMIT_EXCEEDED.
        """
        fields = decode(body)
        lenient = snapshot.config.server.validation == "lenient"
        if "classifier_id" in fields:
            asked = read_few_shot(fields, lenient=lenient)
            _check_count(asked.items, FewShotClassificationRequest.__name__)
            return asked
        return self._zero_shot(fields, snapshot, lenient=lenient)

    def _zero_shot(self, fields: dict[str, Json], snapshot: Snapshot, *, lenient: bool) -> Job:
        model, family = choose(fields, self.name, snapshot)
        schema = SCHEMAS[family]
        warnings = drop_unknown(fields, schema) if lenient else ()
        request = check(schema, fields, replace(model, modalities=model.modalities & schema.accepted))
        # A field of each of the schemas but, differing, not of their base.
        items: Items = vars(request)["input"]
        _check_count(items, model.name)
        _check_labels(request.labels)
        job = self._relayed if snapshot.served[model.name].relays else self._made_here
        return replace(
            job(request, items, model),
            storable=snapshot.config.cache.url_inputs or not points_elsewhere(items),
            warnings=warnings,
            labels=tuple([len(labels) for _, labels in request.labels]),
        )

    def _made_here(self, request: ZeroShotRequest, items: Items, model: Model) -> Job:
        return Job(
            endpoint="embeddings",
            model=model.name,
            revision=model.revision,
            units=tuple([(item,) for item in (*items, *_items(request.labels))]),
            shape=model.shape,
            parameters=classification_parameters(model, vars(request)),
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
        shown = job.presentation
        if isinstance(shown, FewShotPresentation):
            return b"".join(few_shot_pieces(shown, answers))
        return b"".join(pieces(job, answers))

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same in pieces, where it is large; see Endpoint.stream."""
        shown = job.presentation
        if isinstance(shown, FewShotPresentation):
            large = len(answers) * len(shown.classifier.labels) > LARGE_SCORES
            return few_shot_pieces(shown, answers) if large else None
        return pieces(job, answers) if not job.whole and is_large(job, answers) else None


def _items(sets: LabelSets) -> tuple[Item, ...]:
    return tuple([Item.text(label) for _, labels in sets for label in labels])


def _wire(sets: LabelSets) -> Json:
    """The labels as the contract spells them."""
    named = {name: labels for name, labels in sets if name is not None}
    return named or sets[0][1]


def _check_count(items: Items, where: str) -> None:
    if len(items) > MAX_INPUTS:
        message = f"List should have at most {MAX_INPUTS} items after validation, not {len(items)}"
        raise invalid_request((FieldError(f"body -> {where} -> input", message, "too_long"),))


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
