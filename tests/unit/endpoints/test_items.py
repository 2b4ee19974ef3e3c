from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from gateway.vocabulary import Inline, Item, Modality, Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.errors import FieldError
    from gateway.vocabulary import Job, Json

TEXT, V4 = "jina-embeddings-v3", "jina-embeddings-v4"
NANO, OMNI = "jina-embeddings-v5-text-nano", "jina-embeddings-v5-omni-nano"
GROUP = {"content": [{"text": "a"}, {"image": "Yg=="}, {"video": "Yw=="}, {"audio": "ZA=="}]}


def inline(modality: Modality, value: bytes) -> Item:
    return Item(modality, (Inline(modality, b64encode(value).decode(), sha256(value).digest()),))


@pytest.mark.parametrize(
    ("model", "value", "items"),
    [
        (TEXT, "a", [Item.text("a")]),
        (TEXT, "", [Item.text("")]),
        (TEXT, {"text": "a"}, [Item.text("a")]),
        (TEXT, {"text": "a", "id": 7}, [Item.text("a")]),
        (TEXT, ["a", {"text": "b"}, "a"], [Item.text("a"), Item.text("b"), Item.text("a")]),
        (V4, {"image": "YQ=="}, [inline(Modality.IMAGE, b"a")]),
        (V4, {"pdf": "YQ=="}, [inline(Modality.PDF, b"a")]),
        (V4, [{"image": "YQ=="}, "b"], [inline(Modality.IMAGE, b"a"), Item.text("b")]),
        ("jina-clip-v1", {"image": "YQ=="}, [inline(Modality.IMAGE, b"a")]),
        ("jina-clip-v2", {"pdf": "YQ=="}, [inline(Modality.PDF, b"a")]),
        (OMNI, {"video": "YQ=="}, [inline(Modality.VIDEO, b"a")]),
        (OMNI, {"audio": "YQ=="}, [inline(Modality.AUDIO, b"a")]),
        (
            OMNI,
            [GROUP],
            [
                Item(
                    Modality.GROUP,
                    (
                        Part(Modality.TEXT, "a"),
                        inline(Modality.IMAGE, b"b").parts[0],
                        inline(Modality.VIDEO, b"c").parts[0],
                        inline(Modality.AUDIO, b"d").parts[0],
                    ),
                )
            ],
        ),
    ],
)
def test_accepted(model: str, value: Json, items: list[Item], validate: Callable[..., Job]) -> None:
    assert validate({"model": model, "input": value}).units == tuple((item,) for item in items)


@pytest.mark.parametrize(
    ("model", "value", "path", "kind"),
    [
        (TEXT, 5, "input", "item_type"),
        (TEXT, None, "input", "item_type"),
        (TEXT, True, "input", "item_type"),
        (TEXT, [], "input", "too_short"),
        (TEXT, {}, "input", "item_type"),
        (TEXT, {"id": 1}, "input", "item_type"),
        (TEXT, {"image": "YQ=="}, "input", "item_type"),
        (TEXT, {"text": "a", "image": "b"}, "input", "item_type"),
        (TEXT, {"text": 5}, "input -> text", "string_type"),
        (TEXT, ["a", 5], "input -> 1", "item_type"),
        (TEXT, [["a"]], "input -> 0", "item_type"),
        (TEXT, [[1, "a", 3]], "input -> 0", "item_type"),
        (TEXT, [[]], "input -> 0", "item_type"),
        (TEXT, [[1, 2, 3]], "input", "token_ids_invalid"),  # no vocabulary is handed in here
        (NANO, {"image": "YQ=="}, "input", "item_type"),
        (NANO, [GROUP], "input -> 0", "item_type"),
        (V4, {"video": "YQ=="}, "input", "item_type"),
        (V4, ["a", {"pdf": "YQ=="}], "input -> 1", "item_type"),
        (V4, [GROUP], "input -> 0", "item_type"),
        (OMNI, GROUP, "input", "item_type"),
        (OMNI, [{"pdf": "YQ=="}], "input -> 0", "item_type"),
        (OMNI, [{"content": []}], "input -> 0 -> content", "too_short"),
        (OMNI, [{"content": "a"}], "input -> 0 -> content", "list_type"),
        (OMNI, [{"content": ["a"]}], "input -> 0 -> content -> 0", "item_type"),
        (OMNI, [{"content": [{"text": "a"}, {"pdf": "Yg=="}]}], "input -> 0 -> content -> 1", "item_type"),
        (OMNI, [{"content": [{"content": []}]}], "input -> 0 -> content -> 0", "item_type"),
        (OMNI, [{"content": [{"image": 5}]}], "input -> 0 -> content -> 0 -> image", "string_type"),
    ],
)
def test_refused_with_one_error(
    model: str, value: Json, path: str, kind: str, refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    (error,) = refuse({"model": model, "input": value})
    assert (error.field, error.type) == (f"body -> {model} -> {path}", kind)


def test_each_wrong_item_is_named(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    errors = refuse({"model": TEXT, "input": [1, "fine", {"text": None}, {}]})
    assert [error.field.split(" -> ", 2)[2] for error in errors] == ["input -> 0", "input -> 2 -> text", "input -> 3"]


def test_the_message_says_what_is_accepted(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (alone,) = refuse({"model": V4, "input": 5})
    (listed,) = refuse({"model": V4, "input": [5, "a"]})
    assert alone.message == (
        "Input should be a string or an object with one key of: text or image or pdf, or a list of such"
    )
    assert listed.message == "Input should be a string or an object with one key of: text or image"


@pytest.mark.parametrize(
    ("value", "storable"),
    [
        ("https://a.example/text-is-just-text", True),
        ({"image": "aGk="}, True),
        ({"image": "data:image/png;base64,aGk="}, True),
        ({"image": "https://a.example/x.png"}, False),
        ({"image": " HTTP://a.example/x.png"}, False),
        ({"pdf": "http://a.example/x.pdf"}, False),
        ([{"content": [{"text": "a"}, {"video": "https://a.example/v"}]}, "b"], False),
    ],
)
def test_what_a_url_shows_may_change_so_it_is_not_stored(
    value: Json, *, storable: bool, validate: Callable[..., Job]
) -> None:
    body = {"model": OMNI, "input": value}
    assert validate(body).storable is storable
    assert validate(body, cache={"url_inputs": True}).storable
