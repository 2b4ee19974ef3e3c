from __future__ import annotations

import pytest

from gateway.edge.limit_headers import cache_headers, limit_headers, retry_header, warning_headers
from gateway.vocabulary import Remaining, Reply

LIMITS = [
    (None, {}),
    (Remaining(3, 400), {"X-RateLimit-Remaining-Requests": "3", "X-RateLimit-Remaining-Tokens": "400"}),
    (Remaining(None, 0), {"X-RateLimit-Remaining-Tokens": "0"}),
]


@pytest.mark.parametrize(("remaining", "expected"), LIMITS)
def test_what_is_left(remaining: Remaining | None, expected: dict[str, str]) -> None:
    assert limit_headers(remaining) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(None, None), (0.0, "1"), (0.2, "1"), (3.0, "3"), (3.001, "4")])
def test_coming_back_after_the_header_is_never_too_early(seconds: float | None, expected: str | None) -> None:
    assert retry_header(seconds).get("Retry-After") == expected


CACHE = [
    (Reply(b"", hits=3), "gateway; hit", "3", "0"),
    (Reply(b"", misses=2, stored=True), "gateway; fwd=miss; stored", "0", "2"),
    (Reply(b"", hits=1, misses=2, stored=True), "gateway; fwd=partial; stored", "1", "2"),
    (Reply(b"", misses=1, duplicates=1, stored=True), "gateway; fwd=miss; stored", "1", "1"),
    (Reply(b"", hits=1, duplicates=1), "gateway; hit", "2", "0"),
    (Reply(b"", misses=1, stored=True, collapsed=True), "gateway; fwd=miss; stored; collapsed", "0", "1"),
    (Reply(b"", misses=2, bypassed=True), "gateway; fwd=bypass", "0", "2"),
]


@pytest.mark.parametrize(("reply", "status", "hits", "misses"), CACHE)
def test_cache_status(reply: Reply, status: str, hits: str, misses: str) -> None:
    assert cache_headers(reply) == {
        "Cache-Status": status,
        "X-Gateway-Cache-Hits": hits,
        "X-Gateway-Cache-Misses": misses,
    }


def test_a_warning_cannot_break_out_of_its_header() -> None:
    assert warning_headers(()) == {}
    text = warning_headers(("dropped unknown field 'ä\r\nSet-Cookie: x'",))["X-Gateway-Warning"]
    assert "\r" not in text
    assert "\n" not in text
    assert text.isascii()
