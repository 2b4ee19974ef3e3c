from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.plan.origin import origin, tag
from gateway.stores.redis.entry import encode
from gateway.stores.redis.header import HEADER_BYTES, Described, describe
from gateway.vocabulary import Answer, Shape


@given(st.binary(max_size=40), st.integers(0, 2**63), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_header_says_what_the_entry_was_made_with(proof: bytes, tokens: int, made: int, micros: int) -> None:
    answer = Answer(Shape.SPARSE, b"{}", 0, tokens, b"x", made=made, micros=micros, origin=origin("m", "t"))
    entry = encode(proof, answer)
    assert describe(entry[:HEADER_BYTES]) == Described(tokens, made, micros, tag("m"), tag("t"))
    assert describe(entry) == describe(entry[:HEADER_BYTES])


@pytest.mark.parametrize(
    ("whose", "model", "tenant"), [(b"", None, None), (origin("m", None), tag("m"), None), (bytes(16), None, None)]
)
def test_what_is_not_named_is_none(whose: bytes, model: bytes | None, tenant: bytes | None) -> None:
    described = describe(encode(b"p", Answer(Shape.SPARSE, b"{}", 0, 1, origin=whose)))
    assert described == Described(1, 0, 0, model, tenant)


@pytest.mark.parametrize("prefix", [b"", bytes(HEADER_BYTES), b"\x03" * (HEADER_BYTES - 1), b"damaged"])
def test_anything_else_is_no_entry(prefix: bytes) -> None:
    assert describe(prefix) is None
