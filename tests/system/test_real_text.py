from __future__ import annotations

from pydoc_data.topics import topics
from typing import TYPE_CHECKING

import numpy as np
import openai
import pytest
from fakes.running_gateway import MODEL

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway
    from numpy.typing import NDArray

COUNT = 300


def paragraphs() -> dict[str, str]:
    """Distinct paragraphs of Python's own language reference, each with its topic."""
    found = {text.strip(): topic for topic in sorted(topics) for text in topics[topic].split("\n\n")}
    prose = [text for text in found if 150 <= len(text) <= 900 and text.count("\n") >= 2]
    return {text: found[text] for text in prose[:: len(prose) // COUNT][:COUNT]}


def units(embeddings: openai.types.CreateEmbeddingResponse) -> NDArray[np.float64]:
    return np.array([entry.embedding for entry in embeddings.data])


async def test_a_real_collection_is_embedded_once_and_answers_questions(local: Gateway) -> None:
    texts = paragraphs()
    assert len(texts) == COUNT
    async with openai.AsyncOpenAI(api_key=local.key, base_url=f"{local.url}/v1", max_retries=0) as client:
        create = client.embeddings.with_raw_response.create
        first = await create(model=MODEL, input=list(texts), extra_body={"truncate": True})
        second = await create(model=MODEL, input=list(texts), extra_body={"truncate": True})
        assert first.headers["X-Gateway-Cache-Misses"] == str(COUNT)
        assert second.headers["Cache-Status"] == "gateway; hit"
        assert second.headers["X-Gateway-Cache-Hits"] == str(COUNT)
        vectors = units(first.parse())
        assert np.array_equal(vectors, units(second.parse()))
        assert first.parse().usage == second.parse().usage

        # Each paragraph's beginning is a question whose answer is known, whatever Python's version: the paragraph.
        at = range(0, COUNT, 10)
        beginnings = [" ".join(list(texts)[position].split()[:20]) for position in at]
        questions = units((await create(model=MODEL, input=beginnings)).parse())
        nearest = np.argmax(questions @ vectors.T, axis=1)
        assert np.mean(nearest == np.array(at)) >= 0.8


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("How do I define a coroutine with async def?", "async"),
        ("How are exceptions caught with try and except?", "try"),
        ("Which names does an import statement bind?", "import"),
        ("How does the debugger set a breakpoint?", "debugger"),
        ("How does the lambda keyword make an anonymous function?", "lambda"),
    ],
)
async def test_a_question_is_nearest_to_the_topic_that_answers_it(local: Gateway, question: str, topic: str) -> None:
    names = ["async", "debugger", "import", "in", "lambda", "slicings", "strings", "try"]
    beginnings = [topics[name][:800] for name in names]
    answer = await local.embed([question, *beginnings], truncate=True)
    vectors = np.array([entry["embedding"] for entry in answer.json["data"]])
    assert names[np.argmax(vectors[1:] @ vectors[0])] == topic


async def test_a_real_page_is_ranked_once(local: Gateway) -> None:
    page = [" ".join(text.split()) for text in paragraphs()][:60]
    query = "What happens when an exception is not caught?"
    first = await local.rerank(query, page)
    assert (first.status, first.cached) == (200, (0, 60))
    scores = [entry["relevance_score"] for entry in first.json["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 50
    assert all(entry["document"] == page[entry["index"]] for entry in first.json["results"])

    second = await local.rerank(query, page)
    assert second.cached == (60, 0)
    assert second.json == first.json

    few = await local.rerank(query, page, top_n=5, return_documents=False)
    assert few.cached == (60, 0)
    top = [{"index": entry["index"], "relevance_score": entry["relevance_score"]} for entry in first.json["results"]]
    assert few.json["results"] == top[:5]
    assert few.json["usage"] == first.json["usage"]
