from __future__ import annotations

import pytest
from multidict import CIMultiDict

from gateway.edge.call import lane_of
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Lane


@pytest.mark.parametrize(
    ("headers", "lane"),
    [
        ({}, Lane.INTERACTIVE),
        ({"x-gateway-lane": "bulk"}, Lane.BULK),
        ({"X-Gateway-Lane": " Bulk "}, Lane.BULK),
        ({"X-Gateway-Lane": "interactive"}, Lane.INTERACTIVE),
    ],
)
def test_a_request_may_say_that_nobody_waits_for_it(headers: dict[str, str], lane: Lane) -> None:
    assert lane_of(CIMultiDict(headers)) is lane


@pytest.mark.parametrize("said", ["", "fast", "bulk, interactive"])
def test_another_word_is_refused_with_the_words_there_are(said: str) -> None:
    with pytest.raises(GatewayError) as refused:
        lane_of(CIMultiDict({"X-Gateway-Lane": said}))
    assert refused.value.code is Code.INPUT_INVALID
    assert "interactive or bulk" in str(refused.value.errors)
