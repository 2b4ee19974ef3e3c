from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.redis.transfer import START, Record, TransferError, end, packed, unpacked

RECORDS = [Record(bytes([n] * 16), 1_000 + n, bytes(n * 3)) for n in range(1, 4)]
STREAM = START + packed(RECORDS) + end(len(RECORDS))


@given(st.lists(st.builds(Record, st.binary(min_size=16, max_size=16), st.integers(1, 10**10), st.binary())))
def test_what_goes_out_comes_back(records: list[Record]) -> None:
    assert list(unpacked(BytesIO(START + packed(records) + end(len(records))))) == records


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_a_cut_stream_is_refused_and_what_came_before_is_whole(cut: int) -> None:
    came: list[Record] = []
    with pytest.raises(TransferError):
        came.extend(record for record in unpacked(BytesIO(STREAM[:cut])))
    assert came == RECORDS[: len(came)]


@pytest.mark.parametrize("at", range(len(STREAM)))
def test_a_changed_byte_is_found(at: int) -> None:
    damaged = bytearray(STREAM)
    damaged[at] ^= 1
    with pytest.raises(TransferError):
        list(unpacked(BytesIO(damaged)))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "not a cache export"),
        (b"{}" * 100, "not a cache export"),
        (START, "cut off at record 1"),
        (STREAM + b"x", "damaged after record 3"),
        (START + packed(RECORDS[:1]) + end(2), "damaged after record 1"),
        (START + packed([Record(b"short", 1, b"")]) + end(1), "damaged at record 1"),
        (START + packed([Record(bytes(16), 2**63, b"")]) + end(1), "damaged at record 1"),
        (START + packed([Record(bytes(16), 0, b"")]) + end(1), "damaged at record 1"),
    ],
)
def test_anything_else_is_refused_with_the_place(stream: bytes, message: str) -> None:
    with pytest.raises(TransferError, match=message):
        list(unpacked(BytesIO(stream)))


def test_a_length_that_nothing_has_reserves_no_memory() -> None:
    claims = bytearray(packed([Record(bytes(16), 1, b"")]))
    claims[9:13] = b"\xff" * 4
    with pytest.raises(TransferError, match="damaged at record 1"):
        list(unpacked(BytesIO(START + claims)))
