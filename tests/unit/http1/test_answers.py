from __future__ import annotations

import gzip
import zlib

import pytest

from gateway.http1.answer import LONGEST_HEAD, Answer, TooLargeError
from gateway.http1.head import MOST_FIELDS, BrokenError, known, request_head

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

READ = {
    "a length": (OK + b"Content-Length: 3\r\n\r\nabc", 200, b"abc", True),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified, with the length of what it was": (
        b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n",
        304,
        b"",
        True,
    ),
    "no reason": (b"HTTP/1.1 429\r\nContent-Length: 0\r\n\r\n", 429, b"", True),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + OK
        + b"content-length: 1\r\n\r\na",
        200,
        b"a",
        True,
    ),
    "chunks": (CHUNKED + b"3\r\nabc\r\n00A ;x=y\r\n0123456789\r\n0\r\n\r\n", 200, b"abc0123456789", True),
    "chunks and trailers": (CHUNKED + b"1\r\na\r\n0\r\nx: y\r\nz: 1\r\n\r\n", 200, b"a", True),
    "closing": (OK + b"Connection: x, CLOSE\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "HTTP/1.0 that is kept": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
        200,
        b"a",
        True,
    ),
}


def read(data: bytes, size: int, method: str = "POST", limit: int = 1_000) -> tuple[Answer, bytes | None]:
    """What is made of data that comes in pieces of one size, and what is left over."""
    answer, rest = Answer(method, limit), None
    for start in range(0, len(data), size):
        assert rest is None
        rest = answer.feed(data[start : start + size])
    return answer, rest


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("name", READ)
def test_answers_in_pieces_of_any_size(name: str, size: int) -> None:
    data, status, body, lasts = READ[name]
    answer, rest = read(data, size)
    assert rest == b""
    assert answer.head is not None
    assert (answer.head.status, answer.body(), answer.head.lasts, answer.end()) == (status, body, lasts, False)


def test_of_a_head_all_fields_are_kept_and_the_last_of_a_name_counts() -> None:
    answer, _ = read(OK + b"X-A:1\r\nx-a: \t2 \r\nServer: caf\xc3\xa9\r\ncontent-length: 0\r\n\r\n", 5)
    assert answer.head is not None
    assert answer.head.headers == {"x-a": "2", "server": "café", "content-length": "0"}


def test_heads_that_are_alike_are_told_apart() -> None:
    data = [
        OK + b"content-length: %d\r\nx: %b\r\n\r\n%b" % (len(body), x, body)
        for x in (b"1", b"2")
        for body in (b"a", b"bc")
    ]
    for piece in data * 2:
        answer, rest = read(piece, 10_000)
        assert answer.head is not None
        head, _, body = piece.partition(b"\r\n\r\n")
        assert (answer.body(), rest, answer.head.headers["x"].encode()) == (body, b"", head[-1:])
    answer, _ = read(data[0], 10_000, method="HEAD")
    assert answer.body() == b""


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    answer, rest = read(OK + b"x: y\r\n\r\nabc", 4)
    assert (rest, answer.end(), answer.body()) == (None, True, b"abc")
    assert answer.head is not None
    assert not answer.head.lasts


@pytest.mark.parametrize(
    "half", [b"", OK, OK + b"content-length: 2\r\n\r\na", OK + b"content-length: 2\r\n\r\n", CHUNKED + b"1\r\na\r\n"]
)
def test_half_an_answer_does_not_end_with_its_connection(half: bytes) -> None:
    answer, rest = read(half, 10_000)
    assert (rest, answer.end(), answer.begun) == (None, False, bool(half))


def test_to_head_nothing_follows() -> None:
    answer, rest = read(OK + b"content-length: 7\r\n\r\n", 100, "HEAD")
    assert (rest, answer.body()) == (b"", b"")


@pytest.mark.parametrize("tail", [b"x", OK])
@pytest.mark.parametrize("name", READ)
def test_what_comes_after_an_answer_is_told(name: str, tail: bytes) -> None:
    assert read(READ[name][0] + tail, 10_000)[1] == tail


BROKEN = {
    "no HTTP": b"SSH-2.0-x\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 20 OK\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
    "two lengths": OK + b"content-length: 1\r\nContent-Length: 1\r\n\r\n",
    "a signed length": OK + b"content-length: +1\r\n\r\n",
    "an empty length": OK + b"content-length:\r\n\r\n",
    "a length and chunks": OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "another coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n",
    "two codings": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
    "a folded line": OK + b"a: b\r\n c\r\n\r\n",
    "a space before the colon": OK + b"content-length : 1\r\n\r\n",
    "no colon": OK + b"abc\r\n\r\n",
    "a bare line feed": OK + b"a: b\ncontent-length: 1\r\n\r\n",
    "a bare carriage return": OK + b"a: b\rc\r\n\r\n",
    "a null": OK + b"a: b\x00\r\n\r\n",
    "a long line": OK + b"a: " + b"b" * 9_000 + b"\r\n\r\n",
    "many lines": OK + b"a: b\r\n" * (MOST_FIELDS + 1) + b"\r\n",
    "no end": OK + b"a: b\r\n" * LONGEST_HEAD,
    "interim answers without end": b"HTTP/1.1 102 X\r\n\r\n" * 17,
    "no size": CHUNKED + b"\r\n",
    "a negative size": CHUNKED + b"-1\r\n",
    "a size in another base": CHUNKED + b"0x1\r\na\r\n",
    "a huge size": CHUNKED + b"F" * 17 + b"\r\n",
    "a chunk that goes on": CHUNKED + b"1\r\nab\r\n",
    "a chunk's line without end": CHUNKED + b"1;" + b"x" * 9_000,
    "a chunk's bare line feed": CHUNKED + b"1\na\r\n",
    "trailers without end": CHUNKED + b"0\r\n" + b"a: b\r\n" * 20_000,
}


@pytest.mark.parametrize("size", [1, 3, 1_000_000])
@pytest.mark.parametrize("name", BROKEN)
def test_what_may_be_read_in_two_ways_is_not_read(name: str, size: int) -> None:
    if len(BROKEN[name]) > 10_000 and size == 1:
        size = 1_000
    with pytest.raises(BrokenError):
        read(BROKEN[name], size, limit=10**9)


@pytest.mark.parametrize(
    "data",
    [
        OK + b"content-length: 11\r\n\r\n",
        OK + b"\r\n" + b"x" * 11,
        CHUNKED + b"6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n",
    ],
)
def test_too_large_a_body(data: bytes) -> None:
    with pytest.raises(TooLargeError):
        read(data, 4, limit=10)


def packed(coding: bytes, body: bytes) -> bytes:
    return OK + b"content-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (coding, len(body)) + body


RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
CODINGS = [
    (b"gzip", gzip.compress(b"a" * 50)),
    (b"deflate", zlib.compress(b"a" * 50)),
    (b"Deflate", RAW.compress(b"a" * 50) + RAW.flush()),
    (b"identity", b"a" * 50),
]


@pytest.mark.parametrize(("coding", "body"), CODINGS)
def test_a_compressed_body_is_read_within_its_bound(coding: bytes, body: bytes) -> None:
    assert read(packed(coding, body), 9)[0].body() == b"a" * 50
    if coding != b"identity":
        with pytest.raises(TooLargeError):
            read(packed(coding, body), 9, limit=49)[0].body()
        with pytest.raises(BrokenError):
            read(packed(coding, body[:-1]), 9)[0].body()


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate"])
def test_a_body_that_is_not_what_it_says(coding: bytes) -> None:
    with pytest.raises(BrokenError):
        read(packed(coding, b"xabc"), 100)[0].body()


def test_an_empty_body_is_compressed_by_nobody() -> None:
    assert read(packed(b"br", b""), 100)[0].body() == b""


def test_a_request() -> None:
    head = request_head("POST", "/v1/x?y=1", "host:81", {"Accept": "a/b", "authorization": "Bearer k"}, 3)
    assert head == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nhost: host:81\r\nAccept: a/b\r\nauthorization: Bearer k\r\n"
        b"accept-encoding: identity\r\nuser-agent: gateway\r\ncontent-type: application/octet-stream\r\n"
        b"content-length: 3\r\n\r\n"
    )
    assert b"content" not in request_head("GET", "/", "h", {}, 0)
    assert b"content-length: 0" in request_head("POST", "/", "h", {}, 0)


def test_a_head_is_made_anew_of_each_calls_values() -> None:
    names = {"x-%s": "1%d", "authorization": "Bearer one"}
    first = request_head("POST", "/a%20b", "h", names, 3)
    second = request_head("POST", "/a%20b", "h", {**names, "authorization": "Bearer tw\u00f6\t2"}, 4)
    assert b"POST /a%20b HTTP/1.1\r\nhost: h\r\nx-%s: 1%d\r\nauthorization: Bearer one\r\n" in first
    assert b"\r\nauthorization: Bearer tw\xc3\xb6\t2\r\n" in second
    assert first.endswith(b"\r\ncontent-length: 3\r\n\r\n")
    assert second.endswith(b"\r\ncontent-length: 4\r\n\r\n")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\x00b"])
def test_a_header_with_a_line_end_is_not_sent(value: str) -> None:
    with pytest.raises(ValueError, match="control"):
        request_head("GET", "/", "h", {"x": value}, 0)
    with pytest.raises(ValueError, match="control"):
        request_head("GET", "/", "h", {f"x{value}": "y"}, 0)


@pytest.mark.parametrize(
    ("name", "ours"), [("Connection", False), ("HOST", False), ("Content-Length", False), ("x", True)]
)
def test_headers_about_the_connection_are_for_another_client(name: str, ours: bool) -> None:  # noqa: FBT001 - a table
    assert known({name: "y"}) is ours
