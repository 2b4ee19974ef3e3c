from __future__ import annotations

import pytest

from gateway.endpoints import events
from gateway.endpoints.events import Events, data_of, error_event, json_data

STREAM = (
    b'data: {"a": 1}\n\n: a comment\r\n\r\nevent: x\ndata: one\ndata:two\n\nid: 1\rdata: \xf0\x9f\x9a\x80\r\rdata: [DO'
)
WHOLE = [
    b'data: {"a": 1}\n\n',
    b": a comment\r\n\r\n",
    b"event: x\ndata: one\ndata:two\n\n",
    b"id: 1\rdata: \xf0\x9f\x9a\x80\r\r",
]


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
def test_events_are_the_same_however_they_are_cut(size: int) -> None:
    made = Events()
    found = [event for at in range(0, len(STREAM), size) for event in made.take(STREAM[at : at + size])]
    assert found == WHOLE
    assert made.rest() == b"data: [DO"
    assert made.rest() == b""


@pytest.mark.parametrize(
    ("event", "data"), [*zip(WHOLE, [b'{"a": 1}', b"", b"one\ntwo", b"\xf0\x9f\x9a\x80"], strict=True)]
)
def test_the_data_of_an_event_is_its_lines(event: bytes, data: bytes) -> None:
    assert data_of(event) == data


def test_data_that_is_no_json_is_none() -> None:
    assert json_data(b"data: [DONE]\n\n") is None
    assert json_data(b'data: {"a": 1}\n\n') == {"a": 1}


def test_an_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_EVENT", 10)
    with pytest.raises(ValueError, match="too long"):
        Events().take(b"data: 123456")


def test_an_error_is_an_event_of_its_own() -> None:
    made = Events()
    (event,) = made.take(error_event(b'{"code": "X"}'))
    assert json_data(event) == {"code": "X"}
