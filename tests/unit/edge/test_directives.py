from __future__ import annotations

import pytest
from multidict import CIMultiDict

from gateway.edge.call import directives_of
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
