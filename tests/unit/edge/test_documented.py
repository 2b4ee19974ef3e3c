"""What clients are told of failures and headers, compared with the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from aiohttp import hdrs
from multidict import istr

from gateway.edge.errors import STATUSES
from gateway.endpoints.service_headers import DECLARED
from gateway.errors import Code

ROOT = Path(__file__).resolve().parents[3]
ERRORS, HEADERS = ((ROOT / "docs" / name).read_text() for name in ("errors.md", "headers.md"))
PARTS = ("edge", "endpoints", "relay", "app")
"""Where requests of clients are read and answered."""

NAME = re.compile(r"[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)*")
OURS = re.compile(r"[Xx](?:-[A-Za-z]+)+")
STANDARD = {str(value).lower() for value in vars(hdrs).values() if isinstance(value, istr)}
UNSAID = {"x-md-"}
"""No name: how some begin."""


def used(source: str) -> set[str]:
    """Header names in a module, in lower case: `hdrs.NAME`, `X-…`, and what something called headers is asked for."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="hdrs"), attr=name):
                found.add(str(getattr(hdrs, name)).lower())
            case ast.Constant(value=str(text)) if OURS.fullmatch(text):
                found.add(text.lower())
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(text))) if "headers" in ast.unparse(owner):
                found.add(text.lower())
            case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str(text)), *_]) if (
                "headers" in ast.unparse(owner)
            ):
                found.add(text.lower())
            case ast.Dict(keys=keys):
                texts = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
                named = [text for text in texts if NAME.fullmatch(text)]
                found |= {text.lower() for text in named if "-" in text or text.lower() in STANDARD}
    return found


def in_source() -> set[str]:
    paths = [path for part in PARTS for path in (ROOT / "gateway" / part).rglob("*.py")]
    return set().union(*(used(path.read_text()) for path in paths)) - UNSAID


def in_page() -> set[str]:
    return {name.lower() for name in re.findall(r"`([A-Za-z-]+)`", HEADERS)}


def in_tables() -> set[str]:
    rows = re.findall(r"^\| (`.*?`) \|", HEADERS, re.MULTILINE)
    return {name.lower() for row in rows for name in re.findall(r"`([A-Za-z-]+)`", row)}


def test_every_code_has_its_row_with_its_status() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \| (.+?) \| (.+?) \|$", ERRORS, re.MULTILINE)
    assert {(code, int(status)) for code, status, *_ in rows} == {(code.value, STATUSES[code]) for code in Code}
    assert len(rows) == len(Code)


def test_every_header_in_the_source_is_on_the_page() -> None:
    missing = in_source() - in_page()
    assert not missing, "say in docs/headers.md what they are for"


def test_every_header_in_the_tables_is_in_the_source() -> None:
    assert len(in_tables()) > 25
    assert not in_tables() - in_source() - {"location"}, "a backend's Location is named in a set, among others"


def test_what_goes_along_to_the_reader_is_listed() -> None:
    listed = re.findall(r"`([\w-]+)`", HEADERS.partition("<!-- reader -->")[2].partition("<!-- /reader -->")[0])
    assert [name.lower() for name in listed] == sorted(name for name in DECLARED if name.startswith("x-"))


@pytest.mark.parametrize(
    "source",
    [
        "x = request.headers.get('prefer')",
        "response.headers['prefer'] = 1",
        "answer(headers={'ETag': 1})",
        "answer(headers={'Content-Digest': 1})",
        "hdrs.RANGE",
        "NEW = 'X-New'",
    ],
)
def test_a_header_that_nobody_described_is_seen(source: str) -> None:
    assert used(source) - in_page()
