from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.endpoints.spellings import contract_spelling

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.errors import FieldError
    from gateway.vocabulary import Job, Json

CLIP, V4, OMNI, M0 = "jina-clip-v2", "jina-embeddings-v4", "jina-embeddings-v5-omni-small", "jina-reranker-m0"
URL, CODED = "https://a.example/x.png", "aGk="


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ({"url": URL}, {"image": URL}),
        ({"bytes": CODED}, {"image": CODED}),
        ({"type": "image_url", "image_url": {"url": URL}}, {"image": URL}),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}}, {"image": URL}),
        ({"type": "input_image", "image_url": URL}, {"image": URL}),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}}, {"image": CODED}),
        ({"image": {"url": URL}}, {"image": URL}),
        ({"image": {"bytes": CODED}, "id": 3}, {"image": CODED}),
        ({"type": "video_url", "video_url": {"url": URL}}, {"video": URL}),
        ({"type": "audio_url", "audio_url": {"url": URL}}, {"audio": URL}),
        ({"type": "input_audio", "input_audio": {"data": CODED, "format": "wav"}}, {"audio": CODED}),
        ({"type": "text", "text": "a"}, "a"),
        ({"text": "a", "url": URL}, "a"),
    ],
)
def test_other_spellings_are_the_contracts(sent: Json, meant: Json, validate: Callable[..., Job]) -> None:
    assert validate({"model": OMNI, "input": [sent]}).units == validate({"model": OMNI, "input": [meant]}).units
    group = {"content": [{"text": "b"}, sent]}
    plain = {"content": [{"text": "b"}, {"text": meant} if isinstance(meant, str) else meant]}
    assert validate({"model": OMNI, "input": [group]}).units == validate({"model": OMNI, "input": [plain]}).units


@pytest.mark.parametrize(
    ("sent", "path", "kind"),
    [
        ({"url": 5}, "input -> 0 -> image", "string_type"),
        ({"url": URL, "bytes": CODED}, "input -> 0", "item_type"),
        ({"image_url": {"url": URL, "data": CODED}}, "input -> 0 -> image", "string_type"),
        ({"image_url": {}}, "input -> 0 -> image", "string_type"),
        ({"type": "image_url"}, "input -> 0", "item_type"),
        ({"url": "file:///etc/passwd"}, "input -> 0 -> image", "url_scheme"),
        ({"bytes": "no base64"}, "input -> 0 -> image", "base64_decode"),
        ({"video_url": {"url": URL}}, "input -> 0", "item_type"),
    ],
)
def test_a_wrong_one_is_named(sent: Json, path: str, kind: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": CLIP, "input": [sent]})
    assert (error.field, error.type) == (f"body -> {CLIP} -> {path}", kind)


@pytest.mark.parametrize("sent", [{"url": URL}, {"image": URL}, {"type": "image_url", "image_url": {"url": URL}}])
def test_a_model_that_reads_text_refuses_each(sent: Json, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": "all-MiniLM-L6-v2", "input": [sent]})
    assert error.message == "Input should be a string or an object with one key of: text"


def test_a_rerankers_documents_are_read_so_and_echoed_as_sent(validate: Callable[..., Job]) -> None:
    documents = ["a", {"text": "b"}, {"url": URL}, {"bytes": CODED, "id": 7}, {"image": CODED}]
    job = validate({"model": M0, "query": "q", "documents": documents})
    assert [unit[0].parts[0].value for unit in job.units] == ["a", "b", URL, CODED, CODED]
    assert job.units[3] == job.units[4]
    assert job.presentation.documents == documents  # type: ignore[attr-defined] # a RerankPresentation


def test_what_is_none_of_them_stays() -> None:
    assert contract_spelling({"id": 5}) == {"id": 5}
    assert contract_spelling({"text": {"url": URL}}) == {"text": {"url": URL}}
