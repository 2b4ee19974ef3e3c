"""P: vectors of inputs and labels → the classify endpoint's reply: softmax over cosine for each set of labels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from gateway.endpoints.vectors import matrix

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from gateway.endpoints.schemas_classify import LabelSets
    from gateway.vocabulary import Answer, Job, Json

Wide: TypeAlias = NDArray[np.float64]

_SCORES = 4_096
"""Scores that are computed and written at once, at most, unless one input has more: a few milliseconds."""

LARGE_SCORES = 8_192
"""Above so many the reply is made in pieces."""


@dataclass(frozen=True, slots=True)
class ClassifyPresentation:
    """The sets of labels, in the order sent."""

    sets: LabelSets


def is_large(job: Job, answers: Sequence[Answer]) -> bool:
    """Whether the reply is better made in pieces."""
    labels = sum(job.labels)
    return (len(answers) - labels) * labels > LARGE_SCORES


def pieces(job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None]:
    """The reply, some inputs at a time. The labels' answers are the last ones."""
    presentation = cast("ClassifyPresentation", job.presentation)
    count = sum(job.labels)
    inputs, labels = answers[:-count], unit_rows(answers[-count:])
    step = max(1, _SCORES // count)
    opening = b'{"data":['
    for start in range(0, len(inputs), step):
        # Not `@`: its threads wait for each other while others want the processors, and its sums depend on the shapes.
        cosines: Wide = np.einsum("ij,kj->ik", unit_rows(inputs[start : start + step]), labels)
        bounds = pairwise(accumulate(job.labels, initial=0))
        shares = [softmax(cosines[:, first:end]) for first, end in bounds]
        yield (b"," if start else opening) + b",".join(map(orjson.dumps, entries(shares, presentation.sets, start)))
    usage = {"total_tokens": sum([answer.tokens for answer in answers])}
    yield (b"" if inputs else opening) + b'],"usage":' + orjson.dumps(usage) + b"}"


def softmax(scores: Wide) -> Wide:
    """Each row as shares that add up to one: exp(score) over their sum, temperature one."""
    powers: Wide = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Wide = powers / powers.sum(axis=1, keepdims=True)
    return shares


def unit_rows(answers: Sequence[Answer]) -> Wide:
    """The answers' vectors with length one, so that products are cosines; a vector of zeros is like nothing."""
    rows = matrix(b"".join([answer.payload for answer in answers]), answers[0].width).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    wide: Wide = rows / np.where(lengths == 0, 1.0, lengths)
    return wide


def entries(shares: Sequence[Wide], sets: LabelSets, start: int) -> Iterator[dict[str, Json]]:
    """An element of `data` for each row of shares, of which each set has its own; named sets make objects by name."""
    for row in range(len(shares[0])):
        chosen = [_chosen(labels, share[row]) for (_, labels), share in zip(sets, shares, strict=True)]
        entry: dict[str, Json] = {"object": "classification", "index": start + row}
        for part, values in zip(("prediction", "score", "predictions"), zip(*chosen, strict=True), strict=True):
            named = {name: value for (name, _), value in zip(sets, values, strict=True)}
            entry[part] = values[0] if sets[0][0] is None else named
        yield entry


def _chosen(labels: Sequence[str], shares: Wide) -> tuple[str, float, list[dict[str, Json]]]:
    """The best label (of equals the first sent), its share, and all of them in the order sent."""
    listed = shares.tolist()
    best = int(np.argmax(shares))
    predictions = [{"label": label, "score": share} for label, share in zip(labels, listed, strict=True)]
    return labels[best], listed[best], predictions
