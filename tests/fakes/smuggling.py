"""P: requests that two HTTP readers may cut differently, as bytes, and what of them counts as a request."""

from __future__ import annotations

import json
from typing import NamedTuple

PATH = "/v1/embeddings"
MODEL = "jina-embeddings-v3"
FIRST = f"POST {PATH} HTTP/1.1"
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = "Content-Length: {n}"
END = "0\r\n\r\n"


class Shape(NamedTuple):
    """Lines of a head behind Host and Authorization, and a body, with `\\r\\n` between.

    In braces: `a` an honest body, `n` its length and `x` the same in hexadecimal, `s` a whole second request, `m` the
    length of `0\\r\\n\\r\\n` and that request. `meant`: of the honest body (A), the second request (S) and a last one
    that is sent behind it all (Z), those that count. `front`: the same through nginx, which writes requests of its own.
    """

    name: str
    lines: tuple[str, ...]
    body: str
    meant: str = ""
    front: str | None = None
    first: str = FIRST


SHAPES = (
    Shape("honest length", (LENGTH,), "{a}{s}", "ASZ"),
    Shape("honest chunks", (CHUNKED,), "{x}\r\n{a}\r\n0\r\n\r\n{s}", "ASZ"),
    Shape("chunks in capitals", ("TRANSFER-ENCODING: CHUNKED",), "{x}\r\n{a}\r\n0\r\n\r\n{s}", "ASZ"),
    Shape("tab before chunked", ("Transfer-Encoding:\tchunked",), "{x}\r\n{a}\r\n0\r\n\r\n{s}", "ASZ", front=""),
    Shape("space behind chunked", ("Transfer-Encoding: chunked ",), "{x}\r\n{a}\r\n0\r\n\r\n{s}", "ASZ"),
    Shape("zeros before a length", ("Content-Length: 00{n}",), "{a}{s}", "ASZ"),
    Shape("line ends before a request", (LENGTH,), "{a}\r\n{s}", "ASZ"),
    Shape("expects to be asked", (LENGTH, "Expect: 100-continue"), "{a}{s}", "ASZ"),
    Shape("CL.TE", ("Content-Length: {m}", CHUNKED), "0\r\n\r\n{s}"),
    Shape("TE.CL", (CHUNKED, "Content-Length: 4"), "{x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("TE.TE: twice", (CHUNKED, CHUNKED), "0\r\n\r\n{s}"),
    Shape("TE.TE: chunked, then a cow", (CHUNKED, "Transfer-Encoding: cow"), "0\r\n\r\n{s}"),
    Shape("TE.TE: a cow, then chunked", ("Transfer-Encoding: cow", CHUNKED), "0\r\n\r\n{s}"),
    Shape("chunked, chunked", ("Transfer-Encoding: chunked, chunked",), "0\r\n\r\n{s}"),
    Shape("chunked, identity", ("Transfer-Encoding: chunked, identity",), "0\r\n\r\n{s}"),
    Shape("xchunked", ("Transfer-Encoding: xchunked", LENGTH), "{a}{s}"),
    Shape("identity", ("Transfer-Encoding: identity", LENGTH), "{a}{s}"),
    Shape("gzip", ("Transfer-Encoding: gzip",), "{a}{s}"),
    Shape("gzip, chunked", ("Transfer-Encoding: gzip, chunked",), "{x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("space before TE's colon", ("Transfer-Encoding : chunked", "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("space before CL's colon", ("Content-Length : {n}",), "{a}{s}"),
    Shape("vertical tab before chunked", ("Transfer-Encoding:\x0bchunked", "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("quoted chunked", ('Transfer-Encoding: "chunked"', "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("NUL behind chunked", ("Transfer-Encoding: chunked\x00", "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("folded chunked", ("Transfer-Encoding:\r\n chunked", "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("chunked folded into another line", ("X: y\r\n " + CHUNKED, "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("chunked behind a bare LF", ("X: y\n" + CHUNKED, "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("chunked behind a bare CR", ("X: y\r" + CHUNKED, "Content-Length: 5"), "0\r\n\r\n{s}"),
    Shape("chunked with HTTP/1.0", (CHUNKED,), "{x}\r\n{a}\r\n0\r\n\r\n{s}", first=f"POST {PATH} HTTP/1.0"),
    Shape("length twice, equal", (LENGTH, LENGTH), "{a}{s}"),
    Shape("length twice, different", (LENGTH, "Content-Length: 0"), "{a}{s}"),
    Shape("lengths in a list", ("Content-Length: {n}, {n}",), "{a}{s}"),
    Shape("length with a plus", ("Content-Length: +{n}",), "{a}{s}"),
    Shape("length below zero", ("Content-Length: -1",), "{a}{s}"),
    Shape("length in hexadecimal", ("Content-Length: 0x{x}",), "{a}{s}"),
    Shape("length with an underscore", ("Content-Length: 1_0",), "{a}{s}"),
    Shape("length of two words", ("Content-Length: {n} {n}",), "{a}{s}"),
    Shape("length beyond 64 bits", ("Content-Length: 18446744073709551617",), "{a}{s}"),
    Shape("length of nothing", ("Content-Length:",), "{a}{s}"),
    Shape("bare LF ends a line", ("X: y\n" + LENGTH,), "{a}{s}", front="ASZ"),
    Shape("bare LF ends the head", (LENGTH, "X: y\r\n\n{a}{s}"), "", front="ASZ"),
    Shape("bare CR in a line", ("X: y\rZ: z", LENGTH), "{a}{s}"),
    Shape("folded line", ("X: y\r\n z", LENGTH), "{a}{s}"),
    Shape("line without a colon", ("Nothing", LENGTH), "{a}{s}", front="ASZ"),
    Shape("line without a name", (": x", LENGTH), "{a}{s}"),
    Shape("NUL in a value", ("X: a\x00b", LENGTH), "{a}{s}"),
    Shape("NUL in a name", ("X\x00: a", LENGTH), "{a}{s}"),
    Shape("control sign in a value", ("X: a\x01b", LENGTH), "{a}{s}", front="SZ"),
    Shape("space in a name", ("X y: a", LENGTH), "{a}{s}"),
    Shape("two hosts", ("Host: other.example", LENGTH), "{a}{s}"),
    Shape("chunk extension", (CHUNKED,), "{x};a=b\r\n{a}\r\n0\r\n\r\n{s}", "ASZ"),
    Shape("LF in a chunk extension", (CHUNKED,), "{x};a\nb\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("CR in a chunk extension", (CHUNKED,), "{x};a\rb\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunk size with 0x", (CHUNKED,), "0x{x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunk size with a plus", (CHUNKED,), "+{x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunk size below zero", (CHUNKED,), "-1\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunk size with an underscore", (CHUNKED,), "0_{x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("space behind a chunk size", (CHUNKED,), "{x} \r\n{a}\r\n0\r\n\r\n{s}", front="ASZ"),
    Shape("space before a chunk size", (CHUNKED,), " {x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunk size beyond 64 bits", (CHUNKED,), "10000000000000000{x}\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunk size of 64 bits", (CHUNKED,), "FFFFFFFFFFFFFFFF\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("no chunk size", (CHUNKED,), "\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("chunks that end with LF", (CHUNKED,), "{x}\n{a}\n0\n\n{s}", front="ASZ"),
    Shape("chunk data that ends with LF", (CHUNKED,), "{x}\r\n{a}\n0\r\n\r\n{s}", front="ASZ"),
    Shape("chunk data beyond its size", (CHUNKED,), "1\r\n{a}\r\n0\r\n\r\n{s}"),
    Shape("trailer", (CHUNKED,), "{x}\r\n{a}\r\n0\r\nX: y\r\n\r\n{s}", "ASZ"),
    Shape("length in a trailer", (CHUNKED,), "{x}\r\n{a}\r\n0\r\nContent-Length: {m}\r\n\r\n{s}", front="ASZ"),
    Shape("trailer that is none", (CHUNKED,), "{x}\r\n{a}\r\n0\r\nX y\r\n\r\n{s}", front="ASZ"),
    Shape("absolute form, of another host", (LENGTH,), "{a}{s}", "ASZ", first=f"POST http://other{PATH} HTTP/1.1"),
    Shape("request in the request line", (LENGTH,), "{a}{s}", first=f"POST {PATH} HTTP/1.1 HTTP/1.1"),
    Shape("version of two digits", (LENGTH,), "{a}{s}", front="ASZ", first=f"POST {PATH} HTTP/1.10"),
    Shape("another version", (LENGTH,), "{a}{s}", front="ASZ", first=f"POST {PATH} HTTP/1.2"),
    Shape("method in small letters", (LENGTH,), "{a}{s}", first=f"post {PATH} HTTP/1.1"),
    Shape("tabs in the request line", (LENGTH,), "{a}{s}", first=f"POST\t{PATH}\tHTTP/1.1"),
    Shape("NUL in the target", (LENGTH,), "{a}{s}", first=f"POST {PATH}\x00 HTTP/1.1"),
    Shape("length as a hop's header", (LENGTH, "Connection: Content-Length"), "{a}{s}", "ASZ"),
    Shape("body behind a GET", (LENGTH,), "{s}", "", first="GET /health HTTP/1.1"),
)


class Requests:
    """The shapes as bytes; every text in them is one of its own, so that it is recognised wherever it arrives."""

    def __init__(self, key: str, mark: str) -> None:
        self._key = key
        self._mark = mark

    def request(self, text: str, *lines: str) -> bytes:
        """An honest one."""
        body = json.dumps({"model": MODEL, "input": text})
        return self._head(FIRST, (f"Content-Length: {len(body)}", *lines)) + body.encode()

    def bytes_of(self, number: int) -> bytes:
        """A shape, and behind it the last request."""
        shape = SHAPES[number]
        body = json.dumps({"model": MODEL, "input": f"{self._mark}{number}A"})
        second = self.request(f"{self._mark}{number}S").decode()
        parts = {"a": body, "n": len(body), "x": f"{len(body):x}", "s": second, "m": len(END + second)}
        lines = tuple(line.format(**parts) for line in shape.lines)
        raw = self._head(shape.first, lines) + shape.body.format(**parts).encode("latin-1")
        return raw + self.request(f"{self._mark}{number}Z", "Connection: close")

    def arrived(self, number: int, inputs: list[str]) -> str:
        """Which of a shape's requests did, in order."""
        begin = f"{self._mark}{number}"
        return "".join(text.removeprefix(begin) for text in inputs if text[:-1] == begin)

    def _head(self, first: str, lines: tuple[str, ...]) -> bytes:
        fixed = (first, "Host: gateway.example", f"Authorization: Bearer {self._key}")
        return "\r\n".join((*fixed, *lines, "\r\n")).encode("latin-1")
