"""P: what a started gateway says about itself, with commands to copy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.vocabulary import Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.snapshot import Served

PLACEHOLDER = "$YOUR_KEY"
"""Stands for a key of the configuration, which is never shown; a shell fills it in."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the banner tells. `key` is the developer's key, None when keys come from the configuration."""

    address: str
    seconds: float
    store: str
    model: str | None
    metrics: bool
    embeddings: str | None
    rerank: str | None
    key: str | None = field(repr=False)
    key_file: str
    admin: str | None = None
    passthrough: bool = False


def examples(served: Mapping[str, Served]) -> tuple[str | None, str | None]:
    """A served model for an embeddings call and one for a rerank call on plain texts, None where there is none."""
    texts = [entry.model for entry in served.values() if Modality.TEXT in entry.model.modalities]
    dense = [model.name for model in texts if model.embeddings is not None and model.shape is Shape.DENSE]
    ranking = [model.name for model in texts if model.rerank is not None]
    return next(iter(dense), None), next(iter(ranking), None)


def banner(facts: Facts) -> str:
    """Plain lines; each command is one line that starts with `curl` and works as it stands."""
    lines = [f"Gateway serves on {facts.address} (started in {facts.seconds:.1f} s)", ""]
    if facts.embeddings is not None:
        texts = ["A gateway in front of models.", "Answers are kept for the next caller."]
        body = {"model": facts.embeddings, "input": texts}
        lines += ["Embed:", _curl(facts, "/v1/embeddings", body), ""]
    if facts.rerank is not None:
        documents = ["Bread is baked in an oven.", "Jupiter outweighs all other planets together."]
        body = {"model": facts.rerank, "query": "Which planet is the largest?", "documents": documents}
        lines += ["Rerank:", _curl(facts, "/v1/rerank", body), ""]
    if facts.metrics:
        lines.append(f"Metrics:  {facts.address}/metrics")
    if facts.admin is not None:
        lines += [f"Admin:    {facts.admin}/admin/", f"Console:  {facts.admin}/console"]
    lines.append(f"Store:    {facts.store}")
    if facts.model is not None:
        lines.append(f"Model:    {facts.model}")
    configured = "your own of the backend" if facts.passthrough else "one of the configured ones"
    lines.append(f"Key:      in {facts.key_file}" if facts.key else f"Key:      {configured}, as {PLACEHOLDER}")
    return "\n".join(lines) + "\n"


def without_password(url: str) -> str:
    """The address of a store as it may be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _curl(facts: Facts, path: str, body: object) -> str:
    return (
        f"curl -sS {facts.address}{path} -H 'Content-Type: application/json' "
        f"-H \"Authorization: Bearer {facts.key or PLACEHOLDER}\" -d '{json.dumps(body)}'"
    )
