"""Each file beside this is one exchange: a job, the request it must become, a reply, and what that reply means.

The Infinity replies were recorded from a running 0.0.78 where its debug engine gives them (tests/system runs it for
real). All others are written after published contracts, sources and reports of real ones: none of those services can
be reached from where the tests run. `info` holds what backends tell about their limits.
"""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from gateway.backends import DIALECTS
from gateway.backends.dialect import Ask, CallLimits, Dialect, OutcomeKind
from gateway.config.dialects import ABILITIES, DialectName
from gateway.errors import FieldError
from gateway.ports import Exchange, RawReply
from gateway.vocabulary import Answer, Inline, Item, Job, Modality, Part, Shape, Unit

HERE = Path(__file__).parent
INFO = sorted(path.relative_to(HERE).as_posix() for path in HERE.glob("info/*/*.json"))
CASES = sorted(path.relative_to(HERE).as_posix() for path in HERE.glob("*/*.json"))
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
KEY = "jina_secret"
OWN_HEADER = {"azure": {"api-key": KEY}}


def credentials(exchange: Exchange) -> dict[str, str]:
    return {name: value for name, value in exchange.headers.items() if name in {"authorization", "api-key"}}


def nulls(body: dict[str, Any]) -> list[str]:
    return [name for name, value in body.items() if value is None]


def item(written: dict[str, Any]) -> Item:
    ((kind, value),) = written.items()
    if kind == "content":
        return Item(Modality.GROUP, tuple(item(inner).parts[0] for inner in value))
    modality = Modality(kind)
    if modality is Modality.TEXT or "://" in value:
        return Item(modality, (Part(modality, value),))
    return Item(modality, (Inline(modality, value, sha256(value.encode()).digest()),))


def ask_of(written: dict[str, Any]) -> Ask:
    items = tuple(item(entry) for entry in written["inputs"])
    units: tuple[Unit, ...] = (items,) if written.get("whole") else tuple((entry,) for entry in items)
    job = Job(
        endpoint=written["endpoint"],
        model=written["model"],
        revision="r",
        units=units,
        shape=Shape(written["shape"]),
        parameters=tuple(sorted(written["parameters"].items())),
        presentation=None,
        query=written.get("query"),
        whole=written.get("whole", False),
        labels=tuple(written.get("labels", ())),
    )
    return Ask(job, units, written["model"], KEY)


def readable(answer: Answer) -> dict[str, Any]:
    shown: dict[str, Any] = {"width": answer.width, "tokens": answer.tokens}
    match answer.shape:
        case Shape.DENSE | Shape.MULTI:
            shown["floats"] = list(struct.unpack(f"<{len(answer.payload) // 4}f", answer.payload))
        case Shape.SCORE:
            shown["score"] = struct.unpack("<d", answer.payload)[0]
        case _:
            shown["json"] = orjson.loads(answer.payload)
    if answer.extra:
        shown["extra"] = orjson.loads(answer.extra)
    return shown


@pytest.mark.parametrize("case", CASES)
def test_exchange(case: str) -> None:
    written = json.loads((HERE / case).read_text())
    dialect = BY_NAME[case.partition("/")[0]]
    ask = ask_of(written["job"])

    exchange = dialect.encode(ask)
    expected = written["request"]
    assert (exchange.method, exchange.path) == (expected["method"], expected["path"])
    sent = orjson.loads(exchange.body) if exchange.body else {}
    assert sent == expected["body"]
    assert credentials(exchange) == (OWN_HEADER.get(dialect.name, {"authorization": f"Bearer {KEY}"}))
    assert not nulls(sent)

    reply = written["reply"]
    body = reply["text"].encode() if "text" in reply else json.dumps(reply["body"]).encode()
    outcome = dialect.decode(ask, RawReply(reply["status"], reply.get("headers", {}), body))
    meaning = written["outcome"]
    assert outcome.kind is OutcomeKind(meaning["kind"])
    assert [readable(answer) for answer in outcome.answers] == meaning.get("answers", [])
    assert all(answer.shape is ask.job.shape for answer in outcome.answers)
    assert outcome.message == meaning.get("message", "")
    assert outcome.retry_after == meaning.get("retry_after")
    assert outcome.code == meaning.get("code", outcome.code if dialect.name == "jina" else None)
    assert outcome.errors == tuple(FieldError(*entry) for entry in meaning.get("errors", []))


def test_every_dialect_has_exchanges() -> None:
    assert {case.partition("/")[0] for case in CASES} == set(BY_NAME)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_no_credential_no_header(dialect: Dialect) -> None:
    ask = ask_of(
        {"endpoint": "embeddings", "model": "m", "shape": "dense", "parameters": {}, "inputs": [{"text": "a"}]}
    )
    assert not credentials(dialect.encode(Ask(ask.job, ask.units, "m")))
    inquiry = dialect.inquire(None)
    assert inquiry is None or not credentials(inquiry)


@pytest.mark.parametrize("case", INFO)
def test_what_a_backend_tells_about_its_limits(case: str) -> None:
    written = json.loads((HERE / case).read_text())
    dialect = BY_NAME[case.split("/")[1]]

    exchange, expected = dialect.inquire(KEY), written["request"]
    if exchange is None:
        assert expected is None
    else:
        assert {"method": exchange.method, "path": exchange.path} == expected
        assert credentials(exchange) == {"authorization": f"Bearer {KEY}"}

    reply = written["reply"]
    body = reply["text"].encode() if "text" in reply else json.dumps(reply["body"]).encode()
    assert dialect.learn(RawReply(reply["status"], {}, body), written["model"]) == CallLimits(**written["limits"])


def test_every_dialect_is_known_to_the_configuration() -> None:
    assert set(BY_NAME) == set(ABILITIES) == set(get_args(DialectName)) == {case.split("/")[1] for case in INFO}
