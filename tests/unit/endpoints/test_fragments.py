from __future__ import annotations

import struct

import orjson
import pytest

from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.embeddings_once import once
from gateway.endpoints.embeddings_reply import EmbeddingsPresentation, fragments
from gateway.vocabulary import Answer, Item, Job, Shape

FORMS = [
    EmbeddingsPresentation(),
    EmbeddingsPresentation(types=("base64",)),
    EmbeddingsPresentation(types=("binary",), dimensions=8),
    EmbeddingsPresentation(types=("float", "ubinary"), keyed=True, dimensions=16),
]


def job(form: EmbeddingsPresentation, count: int) -> Job:
    units = tuple((Item.text(str(number)),) for number in range(count))
    return Job("embeddings", "m", "r", units, Shape.DENSE, (), form)


def answer(number: int, rows: int = 1) -> Answer:
    values = [(number + row + 1) * (0.1 if at % 2 else -0.7) for row in range(rows) for at in range(16)]
    return Answer(Shape.DENSE, struct.pack(f"<{16 * rows}f", *values), 16, 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 3])
def test_the_second_answer_is_joined_from_the_first_and_equal_to_it(form: EmbeddingsPresentation, rows: int) -> None:
    kept = [answer(number, rows) for number in range(3)]
    first = Embeddings().assemble(job(form, 3), kept)
    assert all(list(entry.fragments) == [form] for entry in kept)
    blind = [Answer(entry.shape, bytes(len(entry.payload)), 16, 2, fragments=entry.fragments) for entry in kept]
    assert Embeddings().assemble(job(form, 3), blind) == first
    assert [entry["index"] for entry in orjson.loads(first)["data"]] == list(range(3 * rows))


def test_a_list_of_known_and_new_is_as_if_all_were_new() -> None:
    known, new = answer(1), answer(2)
    Embeddings().assemble(job(FORMS[0], 1), [known])
    mixed = Embeddings().assemble(job(FORMS[0], 3), [new, known, new])
    assert mixed == Embeddings().assemble(job(FORMS[0], 3), [answer(2), answer(1), answer(2)])


def test_only_a_few_forms_are_kept() -> None:
    kept = answer(1)
    for form in FORMS:
        Embeddings().assemble(job(form, 2), [kept, kept])
    assert list(kept.fragments) == FORMS[-2:]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 3])
def test_what_is_made_once_is_the_same_and_a_plain_one_is_not_kept(form: EmbeddingsPresentation, rows: int) -> None:
    made = answer(1, rows)
    assert once(made, form) == fragments((answer(1, rows),), form)
    assert bool(made.fragments) is (rows > 1 or form != FORMS[0])
