from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.catalogue.registry import CATALOGUE
from gateway.config.schema import Config
from gateway.config.snapshot import Route, Served, Snapshot
from gateway.endpoints.chat import COMPLETION_TOKENS, PATH, errand_of
from gateway.endpoints.chat_gauge import ChatGauge
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Modality

if TYPE_CHECKING:
    from gateway.vocabulary import Json

ASKED: dict[str, Any] = {"model": "jina-vlm", "messages": [{"role": "user", "content": "hello"}]}
PICTURE = "data:image/png;base64,AAAA"


def snapshot() -> Snapshot:
    config = Config.model_validate({"backends": {"jina": {"dialect": "jina", "url": "https://api.example"}}})
    vlm, embedder = CATALOGUE["jina-vlm"], CATALOGUE["jina-embeddings-v3"]
    served = {model.name: Served(model, (Route("jina", f"{model.name}@there"),)) for model in (vlm, embedder)}
    return Snapshot(config, served, {}, b"secret")


def asked(**changes: Json) -> bytes:
    return json.dumps({**ASKED, **changes}).encode()


def content(*parts: Json) -> list[Json]:
    return [{"role": "user", "content": list(parts)}]


def image(url: Json) -> Json:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


WRONG = [
    (b"{", "body", "json_invalid"),
    (b"[]", "body", "dict_type"),
    (asked(model=None), "body -> model", "string_type"),
    (asked(messages=[]), "body -> messages", "too_short"),
    (asked(messages="hello"), "body -> messages", "list_type"),
    (asked(messages=[{"content": "x"}]), "body -> messages -> 0 -> role", "missing"),
    (asked(max_tokens=0), "body -> max_tokens", "greater_than_equal"),
    (asked(n=129), "body -> n", "less_than_equal"),
    (asked(stream="perhaps"), "body -> stream", "bool_parsing"),
    (asked(messages=content({"text": "x"})), "body -> messages -> 0 -> content -> 0 -> type", "missing"),
    (asked(messages=content({"type": "text"})), "body -> messages -> 0 -> content -> 0 -> text", "string_type"),
    (asked(messages=content({"type": "image_url"})), "body -> messages -> 0 -> content -> 0 -> image_url", "missing"),
    *[
        (
            asked(messages=content(image(url))),
            "body -> messages -> 0 -> content -> 0 -> image_url -> url",
            "url_forbidden",
        )
        for url in ("http://169.254.169.254/x", "file:///etc/passwd", "http://10.0.0.1/", "https://db.internal/a.png")
    ],
]


@pytest.mark.parametrize(("body", "field", "kind"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_named(body: bytes, field: str, kind: str) -> None:
    with pytest.raises(GatewayError) as caught:
        errand_of(body, snapshot())
    assert caught.value.code is Code.INPUT_INVALID
    assert (caught.value.errors[0].field, caught.value.errors[0].type) == (field, kind)


@pytest.mark.parametrize("name", ["nobody", "jina-embeddings-v3"])
def test_a_model_that_does_not_chat_is_not_found(name: str) -> None:
    with pytest.raises(GatewayError) as caught:
        errand_of(asked(model=name), snapshot())
    assert caught.value.code is Code.INPUT_MODEL_NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "accept", "added"),
    [
        ({}, "application/json", {}),
        ({"temperature": 0.2, "tools": [{"type": "function"}], "own": {"a": 1}}, "application/json", {}),
        ({"stream": True}, "text/event-stream", {"stream_options": {"include_usage": True}}),
        (
            {"stream": True, "stream_options": {"include_usage": False, "x": 1}},
            "text/event-stream",
            {"stream_options": {"include_usage": True, "x": 1}},
        ),
        ({"stream": True, "stream_options": {"include_usage": True}}, "text/event-stream", {}),
    ],
)
def test_everything_passes_but_the_models_name_there(
    changes: dict[str, Json], accept: str, added: dict[str, Json]
) -> None:
    errand = errand_of(asked(**changes), snapshot())
    base, exchange = errand.exchange(errand.served.routes[0], "our-key")
    assert (base, exchange.method, exchange.path) == ("https://api.example", "POST", PATH)
    assert json.loads(exchange.body) == {**ASKED, **changes, **added, "model": "jina-vlm@there"}
    assert exchange.headers["authorization"] == "Bearer our-key"
    assert exchange.headers["accept"] == accept
    assert "authorization" not in errand.exchange(errand.served.routes[0], None)[1].headers


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, COMPLETION_TOKENS),
        ({"max_tokens": 7}, 7),
        ({"max_tokens": 7, "max_completion_tokens": 9, "n": 3}, 27),
        ({"max_tokens": 10**9}, 32_768),
    ],
)
def test_as_much_as_the_answer_may_be_is_reserved(changes: dict[str, Json], most: int) -> None:
    assert errand_of(asked(**changes), snapshot()).most == most


def test_texts_and_images_are_the_prompt() -> None:
    parts = ({"type": "text", "text": "what?"}, image(PICTURE), image("https://pictures.example/a.png"))
    errand = errand_of(asked(messages=[*ASKED["messages"], *content(*parts), {"role": "tool"}]), snapshot())
    ((item,),) = errand.job.units
    assert [part.modality for part in item.parts] == [Modality.TEXT, Modality.TEXT, Modality.IMAGE, Modality.IMAGE]
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    assert errand_of(asked(messages=content(audio)), snapshot()).job.item_count == 1


def chunk(**fields: Json) -> bytes:
    return b"data: " + json.dumps({"choices": [], **fields}).encode() + b"\n\n"


SAID = chunk(choices=[{"delta": {"content": "Grüße, "}}])
MORE = chunk(choices=[{"delta": {"reasoning_content": "abcd", "tool_calls": [{"id": 1}]}}, {"delta": None}, 3])
USAGE = chunk(usage={"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12})
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
@pytest.mark.parametrize("hides", [True, False])
def test_a_stream_passes_without_what_only_we_asked_for(size: int, *, hides: bool) -> None:
    gauge, stream = ChatGauge(hides_usage=hides), SAID + MORE + USAGE + DONE
    passed = b"".join(gauge.take(stream[at : at + size]) for at in range(0, len(stream), size)) + gauge.end()
    assert passed == SAID + MORE + (b"" if hides else USAGE) + DONE
    assert (gauge.counted, gauge.prompt, gauge.failed) == (12, 5, False)
    assert gauge.estimate == (9 + 4 + 10 + 3) // 4  # UTF-8 of what was said


def test_usage_beside_an_answer_is_read_and_stays() -> None:
    gauge = ChatGauge(hides_usage=True)
    last = chunk(choices=[{"delta": {}}], usage={"prompt_tokens": 1, "completion_tokens": 2})
    assert gauge.take(last) == last
    assert gauge.counted == 3


@pytest.mark.parametrize("usage", [None, 3, {}, {"total_tokens": True}, {"total_tokens": -1}, {"prompt_tokens": "1"}])
def test_a_usage_that_is_none_is_not_believed(usage: Json) -> None:
    gauge = ChatGauge(hides_usage=False)
    gauge.take(chunk(usage=usage))
    assert gauge.counted is None


def test_a_failure_in_the_stream_is_not_handed_on_nor_what_follows() -> None:
    gauge = ChatGauge(hides_usage=True)
    assert gauge.take(SAID + b'data: {"error": {"message": "at 10.0.0.7"}}\n\n' + DONE) == SAID
    assert gauge.failed
    assert gauge.end() == b""


def test_an_endless_event_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.endpoints.events.LONGEST_EVENT", 10)
    gauge = ChatGauge(hides_usage=True)
    assert gauge.take(b"data: " + b"x" * 20) == b""
    assert gauge.failed


@pytest.mark.parametrize(
    ("body", "good", "counted"),
    [
        (b'{"choices": [{"message": {"content": "abcdefgh"}}], "usage": {"total_tokens": 9}}', True, 9),
        (b'{"choices": [{"message": {"content": "abcdefgh"}}]}', True, None),
        (b'{"choices": "?"}', True, None),
        (b'{"error": {"message": "no"}}', False, None),
        (b"[]", False, None),
        (b"<html>", False, None),
    ],
)
def test_a_whole_answer_is_read(body: bytes, counted: int | None, *, good: bool) -> None:
    gauge = ChatGauge(hides_usage=True)
    assert gauge.whole(body, {}) is good
    assert gauge.counted == counted
    assert gauge.estimate in {0, 2}
