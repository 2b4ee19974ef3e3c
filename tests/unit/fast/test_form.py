"""Which calls have a form, and which answers are made to a reply at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import configured, snapshot_of

from gateway.config.backends import Backend, KeyLimits
from gateway.config.schema import Cache
from gateway.dispatch.dispatcher import SMALL
from gateway.endpoints import ENDPOINTS
from gateway.endpoints.embeddings_reply import EmbeddingsPresentation, closed, opening, whole
from gateway.fast.form import MOST_MADE, MOST_TEXTS, MOST_TOGETHER, Form, form_of, read
from gateway.vocabulary import Answer, CacheScope, ItemKey, Shape

if TYPE_CHECKING:
    from gateway.config.schema import Config

MODEL = {"model": "jina-embeddings-v3"}
LONG = orjson.dumps({"input": ["a"] * (MOST_TEXTS + 1)})
EMBEDDINGS = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "embeddings")


@pytest.mark.parametrize(
    ("body", "kind", "texts"),
    [
        (b'{"model":"m","input":"a"}', b'{"model":"m"}', ["a"]),
        (b'{"input":["a","b"],"user":"u","model":"m"}', b'{"model":"m"}', ["a", "b"]),
        (b'{"model":"m","dimensions":true,"input":"a"}', b'{"model":"m","dimensions":true}', ["a"]),
    ],
)
def test_a_body_is_its_form_and_its_texts(body: bytes, kind: bytes, texts: list[str]) -> None:
    assert read(body) == (kind, texts)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b'{"model":"m"}',
        b'{"input":[]}',
        b'{"input":[1]}',
        b'{"input":["a",1]}',
        b'{"input":{}}',
        LONG,
    ],
)
def test_what_is_no_list_of_texts_has_none(body: bytes) -> None:
    assert read(body) is None


def formed(config: Config, **fields: Any) -> Form | None:
    snapshot = snapshot_of(config)
    caller = next(iter(snapshot.directory.values()))
    return form_of(orjson.dumps(MODEL | fields), EMBEDDINGS, snapshot, caller)


@pytest.mark.parametrize(
    ("fields", "has"),
    [
        ({}, True),
        ({"dimensions": 32}, True),
        ({"embedding_type": ["float", "base64"]}, True),
        ({"late_chunking": True}, False),
        ({"dimensions": 0}, False),
        ({"model": "jina-colbert-v2"}, False),
        ({"model": "jina-embeddings-v4", "return_multivector": True}, False),
        ({"model": "nobody"}, False),
        ({"unknown": 1}, False),
    ],
)
def test_only_a_vector_a_text_has_a_form(fields: dict[str, Any], *, has: bool) -> None:
    assert (formed(configured(), **fields) is not None) is has


@pytest.mark.parametrize(("scope", "has"), [("org", True), ("tenant", True), ("shared", False), ("off", False)])
def test_answers_of_strangers_are_the_planners_to_find(scope: CacheScope, *, has: bool) -> None:
    config = configured(cache=Cache(scope=CacheScope(scope)))
    assert (formed(config) is not None) is has


@pytest.mark.parametrize(
    ("settings", "together"),
    [
        ({}, MOST_TOGETHER),
        ({"batch": False}, 1),
        ({"batch": True}, SMALL),
        ({"billed": False}, SMALL),
        ({"limits": KeyLimits(rpm=10)}, 1),
        ({"keys": ("k1", "k2")}, 1),
    ],
)
def test_texts_travel_together_where_none_waits_for_its_turn(settings: dict[str, Any], together: int) -> None:
    backend = Backend(dialect="jina", url="http://upstream", key="k", **settings)
    form = formed(configured(backends={"jina": backend}))
    assert form is not None
    assert form.together == together


def answer(width: int = 4, shape: Shape = Shape.DENSE, *, made: bool = True) -> Answer:
    fragments: dict[object, bytes] = {EmbeddingsPresentation(): b"[0]"} if made else {}
    return Answer(shape, b"\0" * 4 * width, width, 3, micros=5, fragments=fragments)


FITS = [
    ([answer()], True),
    ([answer(), answer()], True),
    ([answer(), answer(width=8)], False),
    ([answer(shape=Shape.SPARSE)], False),
    ([answer(), answer(shape=Shape.SPARSE)], False),
    ([answer(made=False)] * MOST_MADE, True),
    ([answer(made=False)] * (MOST_MADE + 1), False),
    ([answer()] * (MOST_MADE + 1), True),
    ([answer(width=400_000), answer(width=400_000)], True),  # made while it is sent
    ([answer(width=400_000, made=False)] * (MOST_MADE + 1), True),
]


@pytest.mark.parametrize(("answers", "fit"), FITS, ids=range(len(FITS)))
def test_answers_that_take_long_or_do_not_fit_are_the_pipelines(answers: list[Answer], *, fit: bool) -> None:
    form = formed(configured())
    assert form is not None
    assert form.fits(answers) is fit


def test_what_calls_come_to_is_told_once() -> None:
    form = formed(configured())
    assert form is not None
    keys = [ItemKey(b"1", b"1"), ItemKey(b"2", b"2"), ItemKey(b"1", b"1")]
    assert form.sums.count(keys[:1], [answer()]) == (3, 1)
    assert form.sums.count(keys, [answer()] * 3) == (9, 2)
    form.sums.seconds += [0.1, 0.2]
    facts, seconds = form.reported()
    told = [(saving.cause.value, saving.units, saving.tokens, round(saving.seconds * 1e6)) for saving in facts.savings]
    assert told == [("stored", 3, 9, 15), ("duplicate", 1, 3, 5)]
    assert (facts.hits, facts.duplicates, facts.reported_tokens, facts.saved_tokens) == (3, 1, 12, 12)
    assert seconds == [0.1, 0.2]
    assert form.reported()[0].hits == 0


@pytest.mark.parametrize("count", [1, 2, 130])
@pytest.mark.parametrize("model", ["jina-embeddings-v3", 'of "100 %" own'])
def test_the_parts_of_a_reply_are_the_whole_one(count: int, model: str) -> None:
    form = formed(configured())
    assert form is not None
    answers = [answer() for _ in range(count)]
    job = replace(form.of(["x"] * count), model=model)
    parts = closed(opening(model) % (3 * count, 3 * count), [b"[0]"] * count)
    assert b"".join(parts) == whole(job, answers)
