from __future__ import annotations

import json
import struct
from typing import Any

import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends import jina
from gateway.backends.dialect import Ask, Outcome, OutcomeKind
from gateway.backends.jina import Jina
from gateway.backends.lone import lone_vector
from gateway.ports import RawReply
from gateway.vocabulary import Item, Job, Modality, Part, Shape, Unit

TEXT: Unit = (Item.text("a"),)
PDF: Unit = (Item(Modality.PDF, (Part(Modality.PDF, "https://x/y.pdf"),)),)


def encoded(*values: float) -> str:
    return pybase64.b64encode_as_string(struct.pack(f"<{len(values)}f", *values))


def ask_of(
    *units: Unit, shape: Shape = Shape.DENSE, whole: bool = False, weights: tuple[int, ...] | None = (3,)
) -> Ask:
    job = Job("embeddings", "m", "r", units, shape, (), None, whole=whole)
    return Ask(job, units, "m", None, weights)


def usual() -> dict[str, Any]:
    entry = {"object": "embedding", "index": 0, "embedding": encoded(0.5, -1.5)}
    return {"model": "m", "object": "list", "usage": {"total_tokens": 7, "prompt_tokens": 7}, "data": [entry]}


def decoded(ask: Ask, content: object) -> Outcome:
    return Jina().decode(ask, RawReply(200, {}, json.dumps(content).encode()))


def the_long_way(ask: Ask, content: object) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jina, "lone_vector", lambda *_: None)
        return decoded(ask, content)


def test_the_usual_answer_is_read() -> None:
    ask = ask_of(TEXT)
    answer = lone_vector(ask, usual())
    assert answer is not None
    assert (answer.payload, answer.width, answer.tokens) == (struct.pack("<2f", 0.5, -1.5), 2, 7)
    assert decoded(ask, usual()) == the_long_way(ask, usual()) == Outcome(OutcomeKind.ANSWERED, (answer,))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "",
            "AAAA",
            "AAA=",
            "*",
            "é",
            encoded(1.0),
            encoded(float("nan")),
            encoded(1.0, float("inf")),
            encoded(1.0) + "\n",
        ]
    ),
    st.lists(st.integers(0, 1), max_size=2),
    st.dictionaries(
        st.sampled_from(["index", "embedding", "total_tokens", "prompt_tokens"]), st.integers(0, 2), max_size=2
    ),
)
PLACES = [
    ("usage",),
    ("data",),
    ("model",),
    ("usage", "total_tokens"),
    ("usage", "prompt_tokens"),
    ("data", 0),
    ("data", 0, "index"),
    ("data", 0, "embedding"),
]
MANGLES = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(["drop", "put", "double"]), ODD), max_size=3)


def mangled(mangles: list[tuple[tuple[Any, ...], str, object]]) -> dict[str, Any]:
    content: Any = usual()
    for place, how, value in mangles:
        parent = content
        try:
            for step in place[:-1]:
                parent = parent[step]
            if how == "drop":
                del parent[place[-1]]
            elif how == "put":
                parent[place[-1]] = value
            else:
                parent.append(parent[place[-1]])
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # what it would change is gone
    made: dict[str, Any] = content
    return made


@given(mangles=MANGLES, weights=st.sampled_from([None, (3,), (0,)]))
def test_both_ways_of_reading_agree_on_whatever_comes(
    mangles: list[tuple[tuple[Any, ...], str, object]], weights: tuple[int, ...] | None
) -> None:
    ask, content = ask_of(TEXT, weights=weights), mangled(mangles)
    assert decoded(ask, content) == the_long_way(ask, content)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [None, True, 1, -1, 0, "", "AAAA", [], {}])
def test_both_ways_agree_on_each_slip(place: tuple[Any, ...], value: object) -> None:
    content = mangled([(place, "put", value)])
    assert decoded(ask_of(TEXT), content) == the_long_way(ask_of(TEXT), content)


@pytest.mark.parametrize(
    "ask",
    [
        ask_of(TEXT, TEXT, weights=(1, 2)),
        ask_of((TEXT[0], TEXT[0]), whole=True),
        ask_of(PDF),
        ask_of(TEXT, shape=Shape.MULTI),
        ask_of(TEXT, shape=Shape.VERBATIM),
    ],
)
def test_what_is_not_one_text_takes_the_long_way(ask: Ask) -> None:
    assert lone_vector(ask, usual()) is None
    assert decoded(ask, usual()) == the_long_way(ask, usual())
