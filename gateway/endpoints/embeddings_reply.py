"""P: answers → the embeddings endpoint's reply, in one or, where it is large, in pieces."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson

from gateway.endpoints.vectors import encode, encode_tokens, floats, matrix, shorten
from gateway.exact import exact
from gateway.vocabulary import FLOAT_BYTES, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from gateway.vocabulary import Answer, Job, Json

DEFAULT_TYPE = ("float",)

LARGE_BYTES = 2_097_152
"""Of payload, above which a reply is made in pieces: as JSON it has about 6 MB, and takes some 30 ms to make."""

PIECE_BYTES = 262_144
"""Of a piece, about."""

_VALUES = 65_536
"""Values of a vector that are encoded at once, at most, unless one row has more: a few milliseconds."""

_NEXT = b'},{"object":"embedding","index":%d,"embedding":'
_BEFORE = (b'{"object":"embedding","index":0,"embedding":', *[_NEXT % index for index in range(1, 2_048)])
"""What stands before the first vectors of a reply; it takes longer to make than to copy."""
_BETWEEN_ROWS = b"\n"
"""Never in the JSON of a vector, which has no white space."""

_FRAGMENTS_KEPT = 2
"""Ready-to-send forms kept with an answer; clients ask for one or two."""

_ONCE = "once"
"""Stands among an answer's forms when it was in a large reply: the next such one keeps its form."""


class EmbeddingsPresentation(NamedTuple):
    """How vectors are shown: encodings, whether keyed by encoding, and the length derived from what is stored.

    A tuple, as each answer of a list is looked up by it: Python itself then compares and hashes.
    """

    types: tuple[str, ...] = DEFAULT_TYPE
    keyed: bool = False
    dimensions: int | None = None
    normalized: bool = True


_PLAIN = EmbeddingsPresentation()


def whole(job: Job, answers: Sequence[Answer]) -> bytes:
    """The reply's body at once."""
    presentation = cast("EmbeddingsPresentation", job.presentation)
    data: Json
    if job.shape is Shape.DENSE:
        return _dense(_head(job, answers), fragments(answers, presentation))
    if job.shape is Shape.MULTI:
        data = _multi(answers, presentation)
    elif job.shape is Shape.SPARSE:
        data = [orjson.Fragment(answer.payload) for answer in answers]
    else:
        data = orjson.Fragment(answers[0].payload)
    return orjson.dumps(_head(job, answers) | {"data": data}, option=orjson.OPT_SERIALIZE_NUMPY)


def opening(model: str) -> bytes:
    """What `whole` puts before the vectors of a DENSE reply, but for two counts of tokens (%d)."""
    named = orjson.dumps(model).replace(b"%", b"%%")
    return b'{"model":%b,"object":"list","usage":{"total_tokens":%%d,"prompt_tokens":%%d},"data":[' % named


def closed(begun: bytes, rows: Sequence[bytes]) -> tuple[bytes, ...]:
    """What `whole` makes of what `opening` began, and of JSON vectors, at least one; in parts, which saves a copy.

    However many they are: the system gathers them, and of what waits for a slow client nothing is held twice.
    """
    if len(rows) == 1:
        return begun + _BEFORE[0], rows[0], b"}]}"
    parts = [begun]
    for vector, introduction in zip(rows, _BEFORE, strict=False):
        parts += (introduction, vector)
    for index in range(len(_BEFORE), len(rows)):
        parts += (before(index), rows[index])
    return (*parts, b"}]}")


def is_large(answers: Sequence[Answer]) -> bool:
    """Whether the reply is better made in pieces."""
    return sum([len(answer.payload) for answer in answers]) > LARGE_BYTES


def pieces(job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None]:
    """The same bytes as `whole`, each piece made when it is asked for; of it only forms that came before are kept."""
    return gathered(_fragments(job, answers))


def _head(job: Job, answers: Sequence[Answer]) -> dict[str, Json]:
    tokens = sum([answer.tokens for answer in answers])
    usage = {"total_tokens": tokens}
    usage |= {"input_tokens": tokens, "output_tokens": 0} if job.shape is Shape.SPARSE else {"prompt_tokens": tokens}
    return {"model": job.model, "object": "list", "usage": usage}


def before(index: int) -> bytes:
    """What stands before a vector of a reply."""
    return _BEFORE[index] if index < len(_BEFORE) else _NEXT % index


def _dense(head: Mapping[str, Json], rows: Sequence[bytes]) -> bytes:
    """The reply, an element of `data` a row: a PDF has a row a page, a late-chunked list a row an input.

    It may have megabytes, so it is put together once, and not copied.
    """
    parts = [orjson.dumps(head)[:-1], b',"data":[']
    for index, vector in enumerate(rows):
        parts += (before(index), vector)
    return b"".join([*parts, b"}]}" if rows else b"]}"])


def vectors(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> Iterable[bytes]:
    """Each vector of DENSE answers as JSON; of many answers made one after another, see `pieces`."""
    return each_vector(answers, presentation) if is_large(answers) else fragments(answers, presentation)


def fragments(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> list[bytes]:
    """A vector's JSON is made once for each presentation and kept with the answer, which the in-process cache holds."""
    if len(answers) == 1 and len(answers[0].payload) == FLOAT_BYTES * answers[0].width:
        return [_lone(answers[0], presentation)]
    found = [answer.fragments.get(presentation) for answer in answers]
    if None not in found:
        kept = cast("list[bytes]", found)
    else:
        _make_fragments([answer for answer in answers if presentation not in answer.fragments], presentation)
        kept = [answer.fragments[presentation] for answer in answers]
        _forget_older(answers)
    if len(kept) == len([1 for answer in answers if len(answer.payload) == FLOAT_BYTES * answer.width]):
        return kept
    return [row for fragment in kept for row in fragment.split(_BETWEEN_ROWS)]


def _lone(answer: Answer, presentation: EmbeddingsPresentation) -> bytes:
    """The form of an answer that has one row."""
    form = answer.fragments.get(presentation)
    if form is None:
        if presentation == _PLAIN:  # nearly always
            made = orjson.dumps(floats(answer.payload), option=orjson.OPT_SERIALIZE_NUMPY)
        else:
            made = next(_vectors(answer.payload, answer.width, presentation))
        form = answer.fragments[presentation] = exact(made)
        if len(answer.fragments) > _FRAGMENTS_KEPT:
            _forget_older((answer,))
    return form


def _make_fragments(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> None:
    for width, group in groupby(answers, key=lambda answer: answer.width):
        same = list(group)
        payload = same[0].payload if len(same) == 1 else b"".join([answer.payload for answer in same])
        rows = _vectors(payload, width, presentation)
        for answer in same:
            made = [next(rows) for _ in range(answer.rows)]
            answer.fragments[presentation] = exact(made[0]) if len(made) == 1 else _BETWEEN_ROWS.join(made)


def _forget_older(answers: Iterable[Answer]) -> None:
    """Keep the forms that were made last."""
    for answer in answers:
        forms = answer.fragments
        if len(forms) > _FRAGMENTS_KEPT:
            forms.pop(_ONCE, None)
            if len(forms) > _FRAGMENTS_KEPT:
                del forms[next(iter(forms))]


def _vectors(payload: bytes | memoryview, width: int, presentation: EmbeddingsPresentation) -> Iterator[bytes]:
    """Each row's JSON."""
    rows = matrix(payload, width)
    if presentation.dimensions is not None:
        rows = shorten(rows, presentation.dimensions, normalized=presentation.normalized)
    for vector in encode(rows, presentation.types, keyed=presentation.keyed):
        yield orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)


def _multi(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> list[Json]:
    data: list[Json] = []
    for index, answer in enumerate(answers):
        rows = matrix(answer.payload, answer.width)
        encoded = encode_tokens(rows, presentation.types, keyed=presentation.keyed)
        element = {"object": "embeddings", "index": index, "embeddings": encoded}
        if answer.extra:
            element["tokenized_input"] = orjson.Fragment(answer.extra)
        data.append(element)
    return data


def _fragments(job: Job, answers: Sequence[Answer]) -> Iterator[bytes]:
    """The reply in parts of any size."""
    presentation = cast("EmbeddingsPresentation", job.presentation)
    yield orjson.dumps(_head(job, answers))[:-1] + b',"data":'
    if job.shape is Shape.DENSE:
        yield b"["
        end = b"]"
        for index, vector in enumerate(each_vector(answers, presentation)):
            yield before(index)
            yield vector
            end = b"}]"
        yield end
    elif job.shape is Shape.MULTI:
        yield b"["
        for index, answer in enumerate(answers):
            yield (b"," if index else b"") + b'{"object":"embeddings","index":%d,"embeddings":' % index
            yield from _tokens_of(answer, presentation)
            yield (b',"tokenized_input":' + answer.extra if answer.extra else b"") + b"}"
        yield b"]"
    elif job.shape is Shape.SPARSE:
        yield from listed(answer.payload for answer in answers)
    else:
        yield answers[0].payload
    yield b"}"


def each_vector(answers: Sequence[Answer], presentation: EmbeddingsPresentation) -> Iterator[bytes]:
    """Each vector's JSON, made when it is asked for; of what is made only forms that came before are kept."""
    for answer in answers:
        kept = answer.fragments.get(presentation) or _made(answer, presentation)
        if kept is None:
            for block in _blocks(answer):
                yield from _vectors(block, answer.width, presentation)
        elif len(answer.payload) == FLOAT_BYTES * answer.width:
            yield kept
        else:
            yield from kept.split(_BETWEEN_ROWS)


def _made(answer: Answer, presentation: EmbeddingsPresentation) -> bytes | None:
    """The form of an answer that was in a large reply before; None for another, as most never come again.

    Forms of all that is sent once would take what the in-process cache has for answers: as JSON they are thrice as
    long. An answer of many rows is better made in blocks.
    """
    if _ONCE not in answer.fragments:
        answer.fragments[_ONCE] = b""
        return None
    if len(answer.payload) > FLOAT_BYTES * _VALUES:
        return None
    del answer.fragments[_ONCE]
    _make_fragments([answer], presentation)
    _forget_older([answer])
    return answer.fragments[presentation]


def _tokens_of(answer: Answer, presentation: EmbeddingsPresentation) -> Iterator[bytes]:
    """All rows of one input, one a token: a list, or a list for each encoding."""
    for position, kind in enumerate(presentation.types if presentation.keyed else presentation.types[:1]):
        if presentation.keyed:
            yield (b"," if position else b"{") + orjson.dumps(kind) + b":"
        form = EmbeddingsPresentation((kind,))
        yield from listed(row for block in _blocks(answer) for row in _vectors(block, answer.width, form))
    if presentation.keyed:
        yield b"}"


def _blocks(answer: Answer) -> Iterator[memoryview]:
    """The rows of an answer, some at a time."""
    row = FLOAT_BYTES * max(1, answer.width)
    step = row * max(1, _VALUES * FLOAT_BYTES // row)
    view = memoryview(answer.payload)
    for start in range(0, len(view), step):
        yield view[start : start + step]


def listed(elements: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON list of what is JSON already."""
    before = b"["
    for element in elements:
        yield before + element
        before = b","
    yield b"[]" if before == b"[" else b"]"


def gathered(fragments: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Parts put together to pieces of PIECE_BYTES or a little more."""
    held: list[bytes] = []
    size = 0
    for fragment in fragments:
        held.append(fragment)
        size += len(fragment)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
