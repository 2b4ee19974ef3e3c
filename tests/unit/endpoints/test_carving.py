from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints import carving
from gateway.endpoints.carving import read_json

PICTURE = "iVBORw0KGgo" * 8
STRINGS = st.sampled_from(
    [
        *("", "a", PICTURE, PICTURE + "==", f"data:image/png;base64,{PICTURE}", "cut out 0", "cut out !0"),
        *(
            f'"{PICTURE}"',
            f'"{PICTURE}',
            f"\\{PICTURE}",
            PICTURE + "\n" + PICTURE,
            PICTURE + "é",
            f"{PICTURE} {PICTURE}",
        ),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every body is large, and every longer string worth cutting out."""
    monkeypatch.setattr(carving, "LARGE", 0)
    monkeypatch.setattr(carving, "_LONG", 16)
    monkeypatch.setattr(carving, "_PIECE", 32)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_a_body_is_read_as_ever(value: Any, indent: int | None, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    body = json.dumps({"model": "m", "input": value}, indent=indent, ensure_ascii=ascii_only).encode()
    assert read_json(body) == orjson.loads(body)


@given(VALUES, st.integers(0, 400), st.integers(0, 255))
def test_a_broken_body_is_refused_as_ever(value: Any, at: int, byte: int) -> None:
    body = bytearray(json.dumps({"input": value}).encode())
    body[at % len(body)] = byte
    try:
        expected = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            read_json(bytes(body))
    else:
        assert read_json(bytes(body)) == expected


def test_pictures_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    body = orjson.dumps({"model": "m", "input": [{"image": PICTURE}, {"image": f"data:image/png;base64,{PICTURE}"}]})
    parsed: list[bytes] = []

    class Parser:
        @staticmethod
        def loads(read: bytes) -> Any:
            parsed.append(read)
            return orjson.loads(read)

    monkeypatch.setattr(carving, "orjson", Parser)
    assert read_json(body) == orjson.loads(body)
    assert parsed == [b'{"model":"m","input":[{"image":"cut out 0"},{"image":"cut out 1"}]}']


@pytest.mark.parametrize("byte", [0x00, 0x0A, 0x20, 0x22, 0x5C, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize(
    "at", [len('{"input": "'), len('{"input": "data:'), len('{"input": "data:image/png;base64,iVBOR')]
)
def test_any_odd_byte_is_read_as_ever(byte: int, at: int) -> None:
    body = bytearray(json.dumps({"input": f"data:image/png;base64,{PICTURE}"}).encode())
    body[at] = byte
    try:
        expected = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            read_json(bytes(body))
    else:
        assert read_json(bytes(body)) == expected
