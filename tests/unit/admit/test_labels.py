from __future__ import annotations

import pytest

from gateway.admit.labels import check_labels
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Caller, Job, Limits, Shape

CALLER = Caller("t", "o", "free", "k", Limits(None, None, None), labels=3)


def job(*sizes: int) -> Job:
    return Job("embeddings", "m", "r", (), Shape.DENSE, (), None, labels=sizes)


@pytest.mark.parametrize("sizes", [(), (3,), (3, 3, 3)])
def test_each_set_is_measured_alone(sizes: tuple[int, ...]) -> None:
    check_labels(job(*sizes), CALLER)


@pytest.mark.parametrize("sizes", [(4,), (1, 4)])
def test_the_largest_set_is_told(sizes: tuple[int, ...]) -> None:
    with pytest.raises(GatewayError, match="4 labels provided, maximum 3 allowed") as caught:
        check_labels(job(*sizes), CALLER)
    assert caught.value.code is Code.INPUT_LABEL_LIMIT_EXCEEDED
