from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.endpoints import media
from gateway.endpoints.media import LONGEST_URL, MAX_BYTES, MediaError, inline, read_media
from gateway.vocabulary import Inline, Modality, Part

BYTES = bytes(range(250, 256)) + b"a picture, of which no size is a multiple of three"
CODED = b64encode(BYTES).decode()
HERE = Inline(Modality.IMAGE, CODED, sha256(BYTES).digest())
LARGEST = MAX_BYTES[Modality.IMAGE]


def spellings(content: bytes) -> list[str]:
    """Everything that one content may come as."""
    coded, safe = b64encode(content).decode(), urlsafe_b64encode(content).decode()
    lines = "\r\n".join(coded[at : at + 76] for at in range(0, len(coded), 76))
    return [
        coded,
        coded.rstrip("="),
        safe,
        safe.rstrip("="),
        lines,
        f" {coded}\n",
        f"data:image/png;base64,{coded}",
        f"DATA:image/jpeg;charset=utf-8;BASE64,{lines}\n",
        f"data:;base64,{coded.rstrip('=')}",
        f"data:image/png; base64,{safe}",
    ]


@example(bytes(range(200)))
@given(st.binary(min_size=1, max_size=300))
def test_the_same_bytes_in_any_spelling_are_equal(content: bytes) -> None:
    expected = inline(Modality.IMAGE, content)
    assert {read_media(Modality.IMAGE, text) for text in spellings(content)} == {expected}
    assert expected == Inline(Modality.IMAGE, b64encode(content).decode(), sha256(content).digest())


@given(st.binary(min_size=1, max_size=64), st.integers(1, 16))
def test_in_pieces_as_at_once(content: bytes, quantums: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "_PIECE", 4 * quantums)
        assert {read_media(Modality.PDF, text) for text in spellings(content)} == {inline(Modality.PDF, content)}


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x.png",
        "http://a.example",
        "HTTPS://a.example/x?y=z#f",
        "https://user:word@a.example:8443/%20",
        "https://[2001:db8::1]/x",
        "https://a.example/" + "x" * (LONGEST_URL - 18),
    ],
)
def test_a_url_is_kept_as_it_is(url: str) -> None:
    assert read_media(Modality.VIDEO, f" {url}\n") == Part(Modality.VIDEO, url)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ftp://a.example/x.png", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("gopher://a.example", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("s3://bucket/x.png", "url_scheme"),
        ("https://", "url_parsing"),
        ("https:/a.example", "url_parsing"),
        ("https:a.example", "url_parsing"),
        ("https://[::1/x", "url_parsing"),
        ("https://a.example/x y", "url_parsing"),
        ("https://a.example\\@b.example", "url_parsing"),
        ("https://a.example/" + "x" * LONGEST_URL, "url_parsing"),
        ("", "base64_decode"),
        ("   ", "base64_decode"),
        ("=", "base64_decode"),
        ("a", "base64_decode"),
        ("aGk", None),
        ("aGkaa", "base64_decode"),
        ("aG!k", "base64_decode"),
        ("aGk=aGk=", "base64_decode"),
        ("aGké", "base64_decode"),
        ("www.a.example/x.png", "base64_decode"),
        ("data:image/png,aGk=", "base64_decode"),
        ("data:image/png;base64", "base64_decode"),
        ("data:image/png;base64,", "base64_decode"),
        ("data:image/png;base64,aG!k", "base64_decode"),
        ("data:" + "x" * 300 + ";base64,aGk=", "base64_decode"),
    ],
)
def test_what_is_neither_is_refused(value: str, kind: str | None) -> None:
    if kind is None:
        assert read_media(Modality.IMAGE, value) == inline(Modality.IMAGE, b"hi")
        return
    with pytest.raises(MediaError) as caught:
        read_media(Modality.IMAGE, value)
    assert caught.value.reason.type == kind


@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.PDF])
def test_what_is_too_large_is_not_decoded(modality: Modality, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = b64encode(b"x" * LARGEST).decode()
    assert read_media(modality, fits) == inline(modality, b"x" * LARGEST)
    monkeypatch.setattr("gateway.endpoints.media.pybase64.b64decode", lambda *_, **__: pytest.fail("it was decoded"))
    for too_large in (b64encode(b"x" * (LARGEST + 1)).decode(), "data:image/png;base64," + "A" * (2 * LARGEST)):
        with pytest.raises(MediaError) as caught:
            read_media(modality, too_large)
        assert (caught.value.reason.type, caught.value.reason.message()) == (
            "bytes_too_long",
            f"Data should have at most {LARGEST} bytes",
        )


@pytest.mark.parametrize("modality", [Modality.VIDEO, Modality.AUDIO])
def test_videos_and_sounds_may_be_as_large_as_a_body(modality: Modality) -> None:
    assert read_media(modality, b64encode(b"x" * (LARGEST + 1)).decode()) == inline(modality, b"x" * (LARGEST + 1))


def test_urls_and_bytes_are_never_equal() -> None:
    assert read_media(Modality.IMAGE, CODED) == HERE
    assert read_media(Modality.AUDIO, CODED) != HERE
    assert len({Part(Modality.IMAGE, CODED), HERE}) == 2
