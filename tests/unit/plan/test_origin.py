from __future__ import annotations

from gateway.plan.origin import NOBODY, ORIGIN_BYTES, origin, tag


def test_tags_tell_names_apart() -> None:
    assert len({tag(f"model-{number}") for number in range(1_000)}) == 1_000


def test_an_origin_names_model_and_tenant() -> None:
    assert origin("m", "t") == tag("m") + tag("t")
    assert origin("m", None) == tag("m") + NOBODY
    assert len(origin("m", None)) == ORIGIN_BYTES
