from __future__ import annotations

import pytest

from gateway.vocabulary.tracing import TraceContext, context_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("parents", "sampled"),
    [
        ([GOOD], True),
        ([f" {GOOD} "], True),
        ([f"00-{TRACE}-{SPAN}-00"], False),
        ([f"00-{TRACE}-{SPAN}-02"], False),
        ([f"00-{TRACE}-{SPAN}-ff"], True),
        ([f"cc-{TRACE}-{SPAN}-01-what-a-later-version-says"], True),
        ([f"00-{TRACE}-{SPAN}-01-more"], None),
        ([f"ff-{TRACE}-{SPAN}-01"], None),
        ([f"00-{'0' * 32}-{SPAN}-01"], None),
        ([f"00-{TRACE}-{'0' * 16}-01"], None),
        ([f"00-{TRACE.upper()}-{SPAN}-01"], None),
        ([f"00-{TRACE}-{SPAN}"], None),
        ([f"{GOOD}\r\nx: y"], None),
        ([GOOD, GOOD], None),
        ([""], None),
        ([], None),
    ],
)
def test_what_is_not_understood_is_no_context(parents: list[str], *, sampled: bool | None) -> None:
    context = context_of(parents, [])
    assert (context and context.sampled) == sampled
    if context is not None:
        assert (context.trace_id, context.span_id) == (TRACE, SPAN)


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        ([], ""),
        (["rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7"),
        (["a=1, b=2", "tenant@vendor=x y"], "a=1,b=2,tenant@vendor=x y"),
        (["a=1,,b=2"], "a=1,b=2"),
        (["a=1,B=2"], ""),
        (["a"], ""),
        (["a=b=c"], ""),
        (["a=1\r\nx: y"], ""),
        ([",".join(f"k{at}=v" for at in range(33))], ""),
        (["a=" + "x" * 256, "b=" + "x" * 256], ""),
    ],
)
def test_state_is_handed_on_whole_or_not_at_all(states: list[str], kept: str) -> None:
    context = context_of([GOOD], states)
    assert context is not None
    assert context.state == kept


def test_a_call_carries_the_context() -> None:
    assert TraceContext(TRACE, SPAN, sampled=True, state="a=1").headers == {"traceparent": GOOD, "tracestate": "a=1"}
    assert TraceContext(TRACE, SPAN, sampled=False).headers == {"traceparent": f"00-{TRACE}-{SPAN}-00"}
