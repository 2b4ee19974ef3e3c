"""P: how other APIs' clients spell an image, a video or a sound → the contract's `{"image": …}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.vocabulary import Modality

if TYPE_CHECKING:
    from gateway.vocabulary import Json

_NAMED = {
    "image_url": Modality.IMAGE,
    "video_url": Modality.VIDEO,
    "audio_url": Modality.AUDIO,
    "input_audio": Modality.AUDIO,
    "url": Modality.IMAGE,
    "bytes": Modality.IMAGE,
}
"""OpenAI's and vLLM's content parts; `url` and `bytes` are what langchain and llama-index send for an image."""

_MEDIA = frozenset({Modality.IMAGE, Modality.VIDEO, Modality.AUDIO})
_INSIDE = ("url", "bytes", "data")
"""Where such an object, or the value of `image`, has the content when it is an object itself."""


def contract_spelling(value: dict[str, Json]) -> dict[str, Json]:
    """An object with a modality as its key, where it is one that is spelled otherwise; else the object as it is.

    `{url}`, `{bytes}`, `{type: image_url, image_url: {url}}`, `{image: {url}}` and the like.
    """
    if any(modality in value for modality in Modality):
        return {key: _inner(inner) if key in _MEDIA else inner for key, inner in value.items()}
    named = [name for name in _NAMED if name in value]
    return {_NAMED[named[0]]: _inner(value[named[0]])} if len(named) == 1 else value


def _inner(value: Json) -> Json:
    """The text of `{url: …}`."""
    if not isinstance(value, dict):
        return value
    found = [value[name] for name in _INSIDE if name in value]
    return found[0] if len(found) == 1 else value
