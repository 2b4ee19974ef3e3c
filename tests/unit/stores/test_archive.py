from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.redis.archive import ArchiveError, Kept, Writer, is_state, read, tag

RECORDS = [Kept("{a}:usage:1", -1, b"\x00\xff"), Kept("secret", 5, b"s")]


def lines(records: list[Kept]) -> list[bytes]:
    writer = Writer()
    return [writer.start(7), *map(writer.entry, records), writer.end()]


@given(st.lists(st.builds(Kept, st.text(), st.integers(-1, 2**50), st.binary())))
def test_what_goes_out_comes_back(records: list[Kept]) -> None:
    assert read(lines(records)) == (7, records)


@pytest.mark.parametrize("cut", range(4))
def test_a_cut_is_known(cut: int) -> None:
    with pytest.raises(ArchiveError, match="cut off"):
        read(lines(RECORDS)[:cut])


@pytest.mark.parametrize("at", range(4))
def test_a_changed_line_is_found(at: int) -> None:
    written = lines(RECORDS)
    written[at] = written[at].replace(b"a", b"b", 1) if at != 2 else written[at].replace(b"5", b"6", 1)
    with pytest.raises(ArchiveError):
        read(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ([b"{}\n"], "not a backup of this version"),
        ([b"[]\n"], "not a backup of this version"),
        ([b"\xff"], "damaged at line 1"),
        ([*lines(RECORDS), b'["x", 1, ""]\n'], "damaged at line 5"),
        ([*lines([])[:1], b'["x", 1, "!"]\n'], "damaged at line 2"),
        ([*lines([])[:1], b'["x", -2, ""]\n'], "damaged at line 2"),
        ([*lines([])[:1], b"5\n"], "damaged at line 2"),
    ],
)
def test_anything_else_is_refused_with_the_place(written: list[bytes], message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        read(written)


NAMES = {
    "secret": True,
    "issued": True,
    "{accounts}:tenants": True,
    "{search}:usage:490000": True,
    "{search}:usage-total": True,
    "{search}:topped-up": True,
    "{jobs}:record:b1": True,
    "k:abc": True,
    "y:model@1": True,
    "y-odd:model@1": True,
    "c:0123": False,
    "f:0123": False,
    "v:0123": False,
    "p:jina": False,
    "h:1.2.3.4": False,
    "w": False,
    "y-claim:5:model": False,
    "{workers}:live": False,
    "{search}:requests": False,
    "{search/model:a}:tokens": False,
    "{search}:holds": False,
    "{search}:expiries": False,
}


@pytest.mark.parametrize(("name", "kept"), NAMES.items())
def test_state_is_what_lasts(name: str, *, kept: bool) -> None:
    assert is_state(name) is kept


@pytest.mark.parametrize(("name", "shared"), [("{a}:usage:1", "a"), ("secret", "secret"), ("{}:x", "{}:x")])
def test_keys_of_one_tag_are_read_together(name: str, shared: str) -> None:
    assert tag(name) == shared
