from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from gateway.config.parse import parse
from gateway.config.serving import served_models
from gateway.processes.banner import Facts, banner, examples

FACTS = Facts(
    address="http://127.0.0.1:8080",
    seconds=1.25,
    store="Valkey 9.1.2, embedded, data in /d/store/valkey-9",
    model="all-MiniLM-L6-v2 (int8), embedded",
    metrics=True,
    embeddings="all-MiniLM-L6-v2",
    rerank="all-MiniLM-L6-v2",
    key="jina_secret",
    key_file="/d/dev-key",
)


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.startswith("curl ")]


def test_each_command_is_one_line_that_a_shell_reads_as_meant() -> None:
    embed, rerank = commands(banner(FACTS))
    assert embed[2] == "http://127.0.0.1:8080/v1/embeddings"
    assert rerank[2] == "http://127.0.0.1:8080/v1/rerank"
    for command in (embed, rerank):
        assert "Authorization: Bearer jina_secret" in command
        assert json.loads(command[-1])["model"] == "all-MiniLM-L6-v2"


def test_it_names_what_is_embedded_and_where_things_are() -> None:
    text = banner(FACTS)
    for part in (FACTS.store, str(FACTS.model), "http://127.0.0.1:8080/metrics", "/d/dev-key", "1.2 s"):
        assert part in text


def test_configured_keys_are_a_placeholder_that_the_shell_fills_in() -> None:
    text = banner(replace(FACTS, key=None))
    assert '"Authorization: Bearer $YOUR_KEY"' in text
    assert "/d/dev-key" not in text


def test_what_is_not_there_is_not_shown() -> None:
    text = banner(replace(FACTS, embeddings=None, rerank=None, metrics=False, model=None))
    assert "curl" not in text
    assert "/metrics" not in text
    assert "Model:" not in text


@pytest.mark.parametrize(
    ("config", "embeds", "reranks"),
    [
        ("backends: {a: {dialect: tei, url: embedded}}", "all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        (
            "{backends: {a: {dialect: tei, url: 'http://h'}}, models: {m: {backend: a, dimensions: 8}}}",
            "m",
            None,
        ),
        ("{backends: {a: {dialect: tei, url: 'http://h'}}, models: {m: {backend: a, rerank: true}}}", None, "m"),
    ],
)
def test_examples_are_served_models(config: str, embeds: str | None, reranks: str | None) -> None:
    assert examples(served_models(parse(config, "test", {}))) == (embeds, reranks)


def test_examples_of_the_jina_catalogue_take_texts_and_give_plain_vectors() -> None:
    served = served_models(parse("backends: {j: {dialect: jina, url: 'http://h', key: k}}", "test", {}))
    embeds, reranks = examples(served)
    assert embeds is not None
    assert reranks is not None
    assert served[embeds].model.dimensions > 0
    assert served[reranks].model.rerank is not None


def test_the_admin_api_and_keys_passed_through_are_named() -> None:
    text = banner(replace(FACTS, key=None, admin="http://127.0.0.1:8081", passthrough=True))
    assert "Admin:    http://127.0.0.1:8081/admin/\nConsole:  http://127.0.0.1:8081/console\n" in text
    assert "Key:      your own of the backend, as " in text
    assert "Admin:" not in banner(FACTS)
