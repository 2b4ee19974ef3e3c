from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.observe.spans import (
    ATTRIBUTES,
    START,
    call_attributes,
    call_name,
    failed_here,
    reference,
    request_attributes,
    request_name,
    server,
    stage_attributes,
)
from gateway.vocabulary import Departure, Facts, Stage

ROOT = Path(__file__).resolve().parents[3]
DEPARTURE = Departure("mine", "tei", "http://10.0.0.1:8000/base?secret=1", "rerank", "big", 3, tries=2, hedged=True)


def everything() -> Facts:
    return Facts("embeddings", "r1", "m", "t", "free", "k", 4, 2, 1, 1, 10, 3)


def test_the_documented_table_is_the_code() -> None:
    page = (ROOT / "docs" / "traces.md").read_text()
    assert page.partition(START)[2] == reference(), "run `make docs`"


def test_each_attribute_of_the_table_is_told_somewhere_and_no_other() -> None:
    on = {
        "request": request_attributes(everything(), "INTERNAL_ERROR", 500, "POST", "/v1/embeddings"),
        "stage": stage_attributes(Stage.PLAN),
        "call": call_attributes(DEPARTURE, "timeout", 503, 7, 2),
    }
    told = {(name, kind) for kind, attributes in on.items() for name in attributes}
    assert told == {(name, kind) for name, (kinds, _) in ATTRIBUTES.items() for kind in kinds.split(", ")}


@pytest.mark.parametrize(
    ("facts", "absent"),
    [
        (Facts("other", "r"), {"gen_ai.operation.name", "gateway.tenant", "http.route", "url.path", "error.type"}),
        (Facts("embeddings", "r", tenant="t"), {"gen_ai.request.model", "gateway.items"}),
    ],
)
def test_what_is_not_known_is_left_out(facts: Facts, absent: set[str]) -> None:
    assert not absent & request_attributes(facts, "", 404, "POST", "").keys()


@pytest.mark.parametrize(
    ("method", "route", "name"),
    [("POST", "/v1/rerank", "POST /v1/rerank"), ("GET", "", "GET"), ("my secret", "", "_OTHER")],
)
def test_a_name_has_few_values(method: str, route: str, name: str) -> None:
    assert request_name(method, route) == name
    assert request_attributes(everything(), "", 200, method, route)["http.request.method"] == name.partition(" ")[0]


@pytest.mark.parametrize(("status", "failed"), [(200, False), (401, False), (499, False), (500, True), (504, True)])
def test_what_a_client_did_wrong_is_no_error_of_ours(status: int, *, failed: bool) -> None:
    assert failed_here(status) is failed


def test_a_call_that_went_well_has_no_more_to_tell() -> None:
    usual = Departure("mine", "tei", "unix:/run/model.sock", "embeddings", "", 1)
    told = call_attributes(usual, "answered", 0, 0, 1)
    assert call_name(usual) == "embeddings"
    assert (
        not {
            "error.type",
            "http.request.resend_count",
            "gateway.hedged",
            "gateway.requests",
            "http.response.status_code",
            "gen_ai.usage.input_tokens",
        }
        & told.keys()
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://host:81/p?key=secret", {"server.address": "host", "server.port": 81}),
        ("https://user:secret@host/", {"server.address": "host", "server.port": 443}),
        ("unix:/run/x.sock", {"server.address": "/run/x.sock"}),
        ("embedded", {"server.address": ""}),
    ],
)
def test_an_address_is_host_and_port(url: str, told: dict[str, str | int]) -> None:
    assert server(url) == told


def test_the_settings_that_the_page_names_exist() -> None:
    page = (ROOT / "docs" / "traces.md").read_text()
    reference = (ROOT / "docs" / "configuration.md").read_text()
    for name in re.findall(r"`(?:traces|observe)\.([a-z_]+)`", page):
        assert f"| `{name}` |" in reference, name
