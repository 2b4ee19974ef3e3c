from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.edge.request_head import RequestHead, read_head

START = b"POST /v1/embeddings HTTP/1.1\r\nHost: gateway\r\n"
LENGTH = b"Content-Length: 12\r\n"
KEY = b"Authorization: Bearer k\r\n"


def test_an_ordinary_head_says_all_that_a_call_needs() -> None:
    more = b"Content-Type: application/json\r\nX-Request-Id: mine\r\nX-Forwarded-For: 192.0.2.7\r\n"
    head = read_head(START + LENGTH + KEY + more + b"\r\n")
    assert head == RequestHead(
        "/v1/embeddings", 12, ordinary=True, credentials="Bearer k", request_id="mine", forwarded="192.0.2.7"
    )


ORDINARY = [
    b"",
    b"Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: x\r\n",
    b"Connection: keep-alive\r\n",
    b"content-type: application/json; charset=utf-8\r\n",
    b"X-Stainless-Lang: python\r\nX-Stainless-Lang: python\r\n",
]


@pytest.mark.parametrize("more", ORDINARY)
def test_what_changes_nothing_leaves_a_call_ordinary(more: bytes) -> None:
    head = read_head(START + LENGTH + KEY + more + b"\r\n")
    assert head is not None
    assert head.ordinary


SPECIAL = [
    b"Cache-Control: no-cache\r\n",
    b"cache-control: max-age=1\r\n",
    b"X-Gateway-Lane: bulk\r\n",
    b"X-Gateway-Cache-Salt: s\r\n",
    b"X-Gateway-Partial: allow\r\n",
    b"X-Request-Timeout: 3\r\n",
    b"X-Fern-SDK-Name: cohere\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, upgrade\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Type: text/plain\r\n",
]


@pytest.mark.parametrize("more", SPECIAL)
def test_what_the_pipeline_must_read_is_not_ordinary_and_still_framed(more: bytes) -> None:
    head = read_head(START + LENGTH + KEY + more + b"\r\n")
    assert head is not None
    assert (head.ordinary, head.length) == (False, 12)


@pytest.mark.parametrize("head", [b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", START + b"\r\n"])
def test_without_a_length_there_is_no_body_and_nothing_ordinary(head: bytes) -> None:
    read = read_head(head)
    assert read is not None
    assert (read.ordinary, read.length) == (False, 0)


DOUBTFUL = [
    START + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n",
    START + LENGTH + b"transfer-encoding : chunked\r\n\r\n",
    START + LENGTH + b"Transfer-Encoding:\x0bchunked\r\n\r\n",
    START + LENGTH + LENGTH + b"\r\n",
    START + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n",
    START + b"Content-Length: +12\r\n\r\n",
    START + b"Content-Length: 0x12\r\n\r\n",
    START + b"Content-Length: 12, 12\r\n\r\n",
    START + b"Content-Length: \r\n\r\n",
    START + b"Content-Length: 9999999999\r\n\r\n",
    START + b"Content-Length : 12\r\n\r\n",
    START + LENGTH + b" folded: x\r\n\r\n",
    START + LENGTH + b"A: b\r\n\tfolded\r\n\r\n",
    START + LENGTH + b"A: b\nTransfer-Encoding: chunked\r\n\r\n",
    START + LENGTH + b"A: b\rTransfer-Encoding: chunked\r\n\r\n",
    START + LENGTH + b"A: \x00\r\n\r\n",
    START + LENGTH + b"A: \xe9\r\n\r\n",
    START + LENGTH + b"\xc2\xa0A: b\r\n\r\n",
    START + LENGTH + b": b\r\n\r\n",
    START + LENGTH + b"A\r\n\r\n",
    START + LENGTH + b"Expect: 100-continue\r\n\r\n",
    START + LENGTH + b"Upgrade: h2c\r\n\r\n",
    START + LENGTH + b"Trailer: X\r\n\r\n",
    START + LENGTH + b"Host: other\r\n\r\n",
    START + LENGTH + KEY + KEY + b"\r\n",
    b"POST /v1/embeddings HTTP/1.0\r\nHost: a\r\n\r\n",
    b"POST /v1/embeddings HTTP/1.1\r\nContent-Length: 12\r\n\r\n",
    b"POST http://other/v1/embeddings HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST  /v1/embeddings HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/emb\xe9 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"post /v1/embeddings HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nPOST /v1/embeddings HTTP/1.1\r\nHost: a\r\n\r\n",
    START + LENGTH,
    START + LENGTH + b"\n\n",
]


@pytest.mark.parametrize("head", DOUBTFUL, ids=range(len(DOUBTFUL)))
def test_a_doubt_about_where_a_request_ends_is_the_parsers(head: bytes) -> None:
    assert read_head(head) is None


PIECES = st.sampled_from(
    (
        LENGTH,
        KEY,
        b"Content-Length: 0\r\n",
        b"Content-Length: 012\r\n",
        b"A: b\r\n",
        b"A:\t \r\n",
        b"a b: c\r\n",
        b"X-Y: \x7f\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Host: b\r\n",
        b" x\r\n",
        b"\n",
        b"\r",
        b"Expect: 100-continue\r\n",
    )
)


@given(st.sampled_from([START, b"GET / HTTP/1.1\r\nHost: a\r\n"]), st.lists(PIECES | st.binary(max_size=4), max_size=5))
@example(START, [LENGTH, KEY])
@example(START, [b"Content-Length: 012\r\n"])
def test_where_it_has_no_doubt_the_http_parser_agrees(start: bytes, pieces: list[bytes]) -> None:
    sent = start + b"".join(pieces) + b"\r\n"
    head = read_head(sent)
    if head is None or sent.index(b"\r\n\r\n") + 4 != len(sent):
        return
    messages = parsed(sent + b"x" * head.length)
    assert len(messages) == 1
    (message, payload), *_ = messages
    assert message.path == head.path
    assert not message.chunked
    assert not message.upgrade
    assert int(message.headers.get("Content-Length", "0")) == head.length
    assert head.length == 0 or payload.is_eof()
    assert message.headers.get("Authorization") == head.credentials


def parsed(sent: bytes) -> list[Any]:
    """What aiohttp's own parser makes of it; two messages where it believes another request follows."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(Mock(_reading_paused=False), loop, 65_536)
        messages, _, tail = parser.feed_data(sent)
    except HttpProcessingError as error:
        pytest.fail(f"aiohttp refuses {sent!r}: {error}")
    finally:
        loop.close()
    assert not tail
    return list(messages)
