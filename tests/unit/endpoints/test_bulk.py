from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from gateway.endpoints.bulk import Field, bulk_job, lines_of, read_form, result
from gateway.errors import Code, GatewayError
from gateway.ports.jobs import Batch, Order, State, Tally

if TYPE_CHECKING:
    from gateway.vocabulary import Json

FILE = Field(b"text\nhello", "texts.csv")
ORDER = Order("batch_1", "shop", "k1", "jina-embeddings-v3", 1_800_000_000, 1_800_086_400)
ALWAYS = {
    "_id": "batch_1",
    "user_id": "shop",
    "file_name": "texts.csv",
    "model_name": "jina-embeddings-v3",
    "created_at": "2027-01-15T08:00:00Z",
    "used_token_count": 0,
}


def rows(file: bytes, most: int = 10) -> list[tuple[str, str | None]]:
    """Name and text of each line; a line without a text has no input."""
    lines, total = lines_of(file, most)
    read = [orjson.loads(line) for line in lines.splitlines()]
    assert len(read) == total
    assert all(line.keys() == {"custom_id", "body"} for line in read)
    return [(line["custom_id"], line["body"].get("input")) for line in read]


@pytest.mark.parametrize(
    ("file", "found"),
    [
        (b"hello\nworld", [("1", "hello"), ("2", "world")]),
        (b"text\nhello\nworld\n", [("1", "hello"), ("2", "world")]),
        (b"\xef\xbb\xbf Text \r\nhello\r\n", [("1", "hello")]),
        (b'text\n"a, ""b""\nc"\n', [("1", 'a, "b"\nc')]),
        (b"n,content\n1,hello\n2,\n3\n", [("1", "hello"), ("2", None), ("3", None)]),
        (b"id,text\nx,hello\n ,world\n", [("x", "hello"), ("2", "world")]),
        (b"custom_id,id,input\na,b,hello", [("a", "hello")]),
        (b"input,text\nno,yes\n", [("1", "yes")]),
        (b"\n\nhello\n , \nworld", [("1", "hello"), ("2", "world")]),
        ("text\nä\n".encode(), [("1", "ä")]),
    ],
)
def test_a_row_is_a_line(file: bytes, found: list[tuple[str, str | None]]) -> None:
    assert rows(file) == found


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"", "has no rows"),
        (b"text\n\n", "has no rows"),
        (b"a,b\nc,d", "has several columns"),
        (b"text\n\xff", "not UTF-8 text .line 2"),
        (b'text\n"a"b\n', "not CSV .line 2"),
        (b'text\n"a', "not CSV .line 2"),
        (b"text\n" + b"a" * 200_000, "not CSV .line 2: field larger"),
        (b"a\n" * 11, "more than 10 rows"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(file: bytes, said: str) -> None:
    with pytest.raises(GatewayError, match=said) as caught:
        rows(file)
    assert (caught.value.code, caught.value.errors[0].field) == (Code.INPUT_INVALID, "body -> file")


def test_a_form_is_read() -> None:
    form = {"file": FILE, "model": Field(b" jina-embeddings-v3\n"), "email": Field(b"a@example.com")}
    read = read_form(form)
    assert (read.model, read.file, read.file_name, read.email) == (
        "jina-embeddings-v3",
        FILE.content,
        "texts.csv",
        "a@example.com",
    )
    assert read_form({"file": Field(b"x"), "model": Field(b"m"), "email": Field(b"")}).file_name == "input.csv"


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({}, ["file", "model"]),
        ({"file": FILE, "model": Field(b"m"), "extra": Field(b"")}, ["extra"]),
        ({"file": FILE, "model": Field(b"\xff")}, ["model"]),
        ({"file": FILE, "model": Field(b"m"), "email": Field(b"nobody")}, ["email"]),
        ({"file": FILE, "model": Field(b"m"), "email": Field(b"a@b@c")}, ["email"]),
        ({"file": FILE, "model": Field(b"m"), "email": Field(b"a@" + b"b" * 300)}, ["email"]),
    ],
)
def test_each_wrong_field_is_named(form: dict[str, Field], fields: list[str]) -> None:
    with pytest.raises(GatewayError) as caught:
        read_form(form)
    assert [error.field for error in caught.value.errors] == [f"body -> {name}" for name in fields]


@pytest.mark.parametrize(
    ("batch", "more"),
    [
        (Batch(ORDER), {"status": "waiting"}),
        (
            Batch(ORDER, State.PROCESSING, total=2, tally=Tally(1, 0, 7)),
            {"status": "in-progress", "used_token_count": 7},
        ),
        (
            Batch(ORDER, State.COMPLETED, tally=Tally(2, 0, 9), ended=1_800_000_060),
            {"status": "completed", "used_token_count": 9, "completed_at": "2027-01-15T08:01:00Z"},
        ),
        (Batch(ORDER, State.FAILED, error="No line"), {"status": "failed", "error": "No line"}),
        (Batch(ORDER, State.CANCELLED), {"status": "failed", "error": "The job was cancelled"}),
        (Batch(ORDER, State.EXPIRED), {"status": "failed", "error": "The job has expired and its result is deleted"}),
    ],
)
def test_a_batch_is_shown_as_a_bulk_job(batch: Batch, more: dict[str, Json]) -> None:
    assert bulk_job(batch, "shop", "texts.csv", "") == ALWAYS | more
    named = bulk_job(replace(batch), "shop", "texts.csv", "a@example.com")
    assert named == ALWAYS | more | {"user_email": "a@example.com"}


def test_a_result_is_an_address() -> None:
    assert result("batch_1", "https://x/") == {"id": "batch_1", "download_url": "https://x/"}
