from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import MultipartReader, StreamReader

from gateway.edge.form import MOST_FIELDS, read_fields
from gateway.endpoints.bulk import Field
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS = {"Content-Type": "multipart/form-data; boundary=b"}


def form(*parts: str, end: str = "--b--\r\n") -> bytes:
    return ("".join(f"--b\r\n{part}\r\n" for part in parts) + end).encode()


def part(name: str, content: str = "x", more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}'


async def test_fields_come_by_name_with_the_name_of_their_file() -> None:
    body = form(part("file", "a\r\nb", '; filename="ä.csv"'), part("model", "m"))
    assert await read_fields(HEADERS, body) == {"file": Field(b"a\r\nb", "ä.csv"), "model": Field(b"m")}
    assert await read_fields({"Content-Type": 'multipart/form-data; boundary="b"'}, b"\r\n" + body) != {}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, form(part("a"))),
        ({"Content-Type": "multipart/form-data; boundary=" + "b" * 100}, form(part("a"))),
        (HEADERS, b""),
        (HEADERS, form()),
        (HEADERS, b"text\nhello"),
        (HEADERS, form("Content-Disposition: form-data\r\n\r\nx")),
        (HEADERS, form("no header\r\n\r\nx")),
        (HEADERS, form(part("a"), part("a"))),
        (HEADERS, form(*(part(f"a{number}") for number in range(MOST_FIELDS + 1)))),
        (HEADERS, form("Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--")),
        (HEADERS, b"--b\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\nx\r\n--b--"),
        (HEADERS, form(part("a"), end="")),
    ],
)
async def test_what_is_no_form_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        await read_fields(headers, body)
    assert caught.value.errors[0].type == "form_invalid"


@pytest.mark.parametrize("filler", [b"\n", b"--b \n", b"--bb\n", b"\r\n--"])
async def test_what_comes_before_the_form_is_not_read_line_by_line(
    monkeypatch: pytest.MonkeyPatch, filler: bytes
) -> None:
    """In a body of empty lines that takes minutes, in which the worker answers nobody."""
    seen: list[int] = []

    class Reader(MultipartReader):
        def __init__(self, headers: Mapping[str, str], content: StreamReader) -> None:
            seen.append(content.total_bytes)
            super().__init__(headers, content)

    monkeypatch.setattr("gateway.edge.form.MultipartReader", Reader)
    with pytest.raises(GatewayError):
        await read_fields(HEADERS, filler * 100_000)
    assert seen == []
    body = form(part("a"))
    assert await read_fields(HEADERS, filler * 100_000 + body) == {"a": Field(b"x")}
    assert seen == [len(body)]
