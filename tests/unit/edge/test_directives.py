from __future__ import annotations

import pytest
from multidict import CIMultiDict

from gateway.edge.call import directives_of, partial_of, timeout_of
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Directives

TABLE = [
    ({}, Directives()),
    ({"Cache-Control": "no-cache"}, Directives(no_cache=True)),
    ({"cache-control": "No-Store, max-age=5"}, Directives(no_store=True, max_age=5)),
    ({"Cache-Control": "only-if-cached , max-age=0, max-age=9"}, Directives(only_if_cached=True, max_age=0)),
    ({"Cache-Control": "max-age=-1, max-age=x, max-age, private, ,"}, Directives()),
    ({"X-Gateway-Cache-Salt": "mine"}, Directives(salt="mine")),
]


@pytest.mark.parametrize("salt", ["x" * 129, "a b", "é"])
def test_a_salt_that_cannot_be_taken_is_refused_not_ignored(salt: str) -> None:
    with pytest.raises(GatewayError) as raised:
        directives_of(CIMultiDict({"X-Gateway-Cache-Salt": salt}))
    assert raised.value.code is Code.INPUT_INVALID


@pytest.mark.parametrize(("headers", "expected"), TABLE)
def test_what_headers_say(headers: dict[str, str], expected: Directives) -> None:
    assert directives_of(CIMultiDict(headers)) == expected


SECONDS = [
    ("2.5", 2.5),
    ("10", 10.0),
    (" 1 ", 1.0),
    (".25", 0.25),
    ("007", 7.0),
    ("0.001", 0.001),
    ("86400.5", 86400.5),
]


@pytest.mark.parametrize(("sent", "seconds"), SECONDS)
def test_the_seconds_a_client_will_wait(sent: str, seconds: float) -> None:
    assert timeout_of(CIMultiDict({"x-request-timeout": sent})) == seconds
    assert timeout_of(CIMultiDict()) is None


NO_SECONDS = ["", "0", "0.0", "-1", "+1", "1e3", "inf", "nan", "5s", "1,5", "1_0", "٣", "1.", "1" * 17, "1 2"]


@pytest.mark.parametrize("sent", NO_SECONDS)
def test_seconds_that_are_none_are_refused_not_ignored(sent: str) -> None:
    with pytest.raises(GatewayError) as raised:
        timeout_of(CIMultiDict({"X-Request-Timeout": sent}))
    assert raised.value.code is Code.INPUT_INVALID
    assert raised.value.errors[0].field == "header -> X-Request-Timeout"


@pytest.mark.parametrize(("sent", "partial"), [("allow", True), (" Allow", True), ("refuse", False)])
def test_whether_a_reply_may_leave_inputs_out(sent: str, partial: bool) -> None:  # noqa: FBT001 - a table's column
    assert partial_of(CIMultiDict({"x-gateway-partial": sent})) is partial
    assert partial_of(CIMultiDict()) is False


@pytest.mark.parametrize("sent", ["", "yes", "true", "allow, refuse"])
def test_a_word_that_says_neither_is_refused(sent: str) -> None:
    with pytest.raises(GatewayError) as raised:
        partial_of(CIMultiDict({"X-Gateway-Partial": sent}))
    assert raised.value.errors[0].field == "header -> X-Gateway-Partial"
