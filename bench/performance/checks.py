"""Whether a server answers rightly, looked at before it is measured."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import numpy as np
from performance import upstream

if TYPE_CHECKING:
    from performance.load import Load
    from performance.servers import Server


class WrongAnswerError(Exception):
    """A server does not answer as it should: its figures would mean nothing."""


def ask(server: Server, load: Load, body: str) -> bytes:
    """One answer's bytes. Raises urllib.error.HTTPError."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.program.port}{load.path}", body.encode(), {**server.headers}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return bytes(answer.read())


def check(server: Server, load: Load, body: str) -> bytes:
    """Ask once, and compare each vector or score with the upstream's. The answer's bytes.

    Raises:
        WrongAnswerError: something differs.
    """
    answer = ask(server, load, body)
    asked, told = json.loads(body), json.loads(answer)
    right = _scores(asked, told) if "documents" in asked else _vectors(asked, told)
    if not right:
        raise WrongAnswerError(f"{server.name} answers wrongly: {answer[:300]!r}")
    return answer


def _vectors(asked: dict[str, Any], told: dict[str, Any]) -> bool:
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    if [entry["index"] for entry in told["data"]] != list(range(len(texts))):
        return False
    known = {text: np.array(upstream.vector(text, len(told["data"][0]["embedding"])), "<f4") for text in set(texts)}
    return all(
        np.array_equal(np.array(entry["embedding"], "<f4"), known[text])
        for text, entry in zip(texts, told["data"], strict=True)
    )


def _scores(asked: dict[str, Any], told: dict[str, Any]) -> bool:
    found = {entry["index"]: round(entry["relevance_score"], 6) for entry in told["results"]}
    return found == {at: upstream.score(document) for at, document in enumerate(asked["documents"])}
