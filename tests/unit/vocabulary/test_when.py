from __future__ import annotations

import pytest

from gateway.vocabulary.when import moment, shown

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7d", NOW - 604_800),
        ("12h", NOW - 43_200),
        (" 5m ", NOW - 300),
        ("0s", NOW),
        ("2w", NOW - 1_209_600),
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00", 3_600),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:07Z", 7),
    ],
)
def test_dates_times_and_ages(text: str, seconds: int) -> None:
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7 days", "-7d", "yesterday", "2026-13-01", "9999999999d", "٣d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a date or time"):
        moment(text, NOW)


def test_times_are_shown_in_utc() -> None:
    assert shown(86_400) == "1970-01-02T00:00:00Z"
    assert shown(None) == "unknown"
