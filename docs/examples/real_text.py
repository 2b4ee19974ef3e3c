"""Embed Python's own reference through the gateway with the openai SDK, then rerank some of it with plain HTTP.

pip install openai
python docs/examples/real_text.py http://127.0.0.1:8080 "$(cat gateway-data/dev-key)"
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pydoc_data.topics import topics
from typing import Any

import openai

MODEL = "all-MiniLM-L6-v2"
BATCH = 100
WORDS = (15, 150)
QUESTION = "What happens when an exception is not caught?"


def paragraphs() -> list[str]:
    """A few hundred distinct paragraphs of prose."""
    pieces = (" ".join(piece.split()) for text in topics.values() for piece in text.split("\n\n"))
    prose = (piece for piece in pieces if WORDS[0] <= len(piece.split()) <= WORDS[1])
    return list(dict.fromkeys(prose))[:600]


def embed(client: openai.OpenAI, texts: list[str]) -> list[list[float]]:
    """All vectors, and how many came from the cache."""
    vectors: list[list[float]] = []
    hits, tokens, began = 0, 0, time.perf_counter()
    for start in range(0, len(texts), BATCH):
        reply = client.embeddings.with_raw_response.create(
            model=MODEL, input=texts[start : start + BATCH], extra_body={"truncate": True}
        )
        hits += int(reply.headers["x-gateway-cache-hits"])
        parsed = reply.parse()
        tokens += parsed.usage.total_tokens
        vectors += [entry.embedding for entry in parsed.data]
    seconds = time.perf_counter() - began
    print(f"embedded {len(vectors)} paragraphs in {seconds:.2f} s: {hits} hits, {tokens} tokens reported")
    return vectors


def rerank(address: str, key: str, documents: list[str]) -> None:
    """The best three of some documents, and how many scores came from the cache."""
    body = {"model": MODEL, "query": QUESTION, "documents": documents, "top_n": 3, "truncation": True}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/rerank", json.dumps(body).encode(), headers)  # noqa: S310 - the address on the command line
    with urllib.request.urlopen(request) as response:  # noqa: S310 - as above
        content: dict[str, Any] = json.load(response)
        print(f"reranked {len(documents)} paragraphs: Cache-Status: {response.headers['Cache-Status']}")
    for result in content["results"]:
        print(f"  {result['relevance_score']:.3f}  {result['document'][:90]}…")


def main() -> None:
    """Everything twice: the second time nothing is computed."""
    address, key = sys.argv[1:]
    client = openai.OpenAI(base_url=f"{address}/v1", api_key=key)
    texts = paragraphs()
    first = embed(client, texts)
    again = embed(client, texts)
    print("the vectors are equal:", first == again)
    for _ in range(2):
        rerank(address, key, texts)


if __name__ == "__main__":
    main()
