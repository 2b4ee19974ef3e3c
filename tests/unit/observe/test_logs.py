from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from gateway.clock import SystemClock
from gateway.config.schema import Observe
from gateway.errors import service_unavailable
from gateway.observe.logs import configure
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.vocabulary import Facts, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

CANARY = "my-secret-input"


@pytest.fixture(autouse=True)
def unchanged_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    structlog.reset_defaults()


def crash() -> None:
    raise ValueError(CANARY)


@pytest.mark.parametrize("shape", ["json", "pretty"])
def test_an_exception_is_its_type_and_places_never_its_message(
    shape: Literal["json", "pretty"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(Observe(log_format=shape))
    observer = RequestObserver(Metrics(), Observe(), SystemClock())
    try:
        crash()
    except ValueError as error:
        observer.defect(Facts("embeddings", "r1"), error)
        logging.getLogger("gateway.tasks").exception("task failed", exc_info=error)
    shown = capsys.readouterr().err
    assert CANARY not in shown
    assert shown.count("ValueError") == 2
    assert shown.count("test_logs.py") >= 2


def test_a_request_is_one_line_of_facts(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Observe(log_format="json"))
    observer = RequestObserver(Metrics(), Observe(log_sample=1.0), SystemClock())
    facts = Facts(
        "embeddings",
        "r1",
        model="m",
        tenant="t",
        key_id="k",
        stages=[(Stage.ADMIT, 0.001), (Stage.PLAN, 0.001), (Stage.ADMIT, 0.002)],
    )
    observer.request(facts, 0.5, None, 200)
    line = json.loads(capsys.readouterr().err)
    assert (line["request_id"], line["tenant"], line["stages"], line["milliseconds"]) == (
        "r1",
        "t",
        {"admit": 3.0, "plan": 1.0},
        500,
    )


@pytest.mark.parametrize(("sample", "status", "lines"), [(0.0, 200, 0), (0.0, 503, 1), (1.0, 200, 1)])
def test_failures_of_ours_are_always_logged(
    sample: float, status: int, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(Observe(log_format="json"))
    observer = RequestObserver(Metrics(), Observe(log_sample=sample), SystemClock())
    error = service_unavailable() if status == 503 else None
    observer.request(Facts("embeddings", "r1"), 0.1, error, status)
    assert len(capsys.readouterr().err.splitlines()) == lines
