"""P: Azure OpenAI as a backend: OpenAI's bodies under a path that names the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.backends.answering import OK, believed
from gateway.backends.asking import post
from gateway.backends.dialect import CallLimits, Outcome, Silent
from gateway.backends.openai import embeddings, embeddings_body, refusal
from gateway.backends.reading import json_of

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import Exchange, RawReply


class Azure(Silent):
    """Dialect `azure`. The model's name at the backend is its deployment's; the API's version is in its URL."""

    name = "azure"
    limits = CallLimits(inputs=2048, tokens=300_000)
    health: str | None = None

    def encode(self, ask: Ask) -> Exchange:
        """`POST /openai/deployments/DEPLOYMENT/embeddings`, with the key in a header of its own."""
        body = embeddings_body(ask)
        del body["model"]
        key = {"api-key": ask.credential} if ask.credential else {}
        return post(f"/openai/deployments/{quote(ask.model, safe='')}/embeddings", body, key)

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """As OpenAI's; `model` names what is deployed, not the deployment, so it is not compared."""
        return believed(lambda: embeddings(ask, json_of(reply))) if reply.status == OK else refusal(reply)
