"""Unmodified clients, as docs/clients.md tells their users to write them: its snippets are run as they stand."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from fakes.running_gateway import MODEL, Gateway, clean_environment, launched
from fakes.snippet import MARK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.prefix) / "clients" / "bin" / "python"
PAGE = (ROOT / "docs" / "clients.md").read_text()
SNIPPETS = dict(re.findall(r"```python ([a-z-]+)\n(.*?)```", PAGE, re.DOTALL))
TEXTS = ["The harvest was late this year.", "Bread is baked in the morning."]
QUERY = "When is bread baked?"
PATIENCE = 120.0
COMMAND_LINE = """
server: {validation: lenient}
models:
  jina-embeddings-v5-text-small: {alias: all-MiniLM-L6-v2}
  jina-reranker-v3: {alias: all-MiniLM-L6-v2}
"""
RANKS = {"cohere", "haystack", "jina-cli", "langchain-cohere", "langchain-community", "litellm", "llama-index"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lenient() -> AsyncIterator[Gateway]:
    """The gateway for a command line that always sends a task, and names Jina's models."""
    async with launched(COMMAND_LINE) as gateway:
        yield gateway


async def shown(name: str, gateway: Gateway) -> dict[str, Any]:
    """What a snippet makes."""
    if not PYTHON.exists():
        pytest.skip(f"no clients in {PYTHON.parents[1]}: `make test` installs them, and says why when it cannot")
    names = {"URL": gateway.url, "KEY": gateway.key, "MODEL": MODEL, "TEXTS": TEXTS, "QUERY": QUERY}
    # Nothing is downloaded and nobody told: litellm brings the vocabulary that tiktoken would fetch.
    (vocabularies,) = PYTHON.parents[1].glob("lib/*/site-packages/litellm/litellm_core_utils/tokenizers")
    quiet = {"TIKTOKEN_CACHE_DIR": str(vocabularies), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    quiet |= {"DO_NOT_TRACK": "1", "HAYSTACK_TELEMETRY_ENABLED": "False", "ANONYMIZED_TELEMETRY": "False"}
    done = await asyncio.to_thread(
        subprocess.run,
        [str(PYTHON), str(ROOT / "tests" / "fakes" / "snippet.py")],
        input=json.dumps({"code": SNIPPETS[name], "names": names}).encode(),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env=clean_environment(quiet),
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    made: dict[str, Any] = json.loads(done.stdout.decode().rpartition(MARK)[2])
    return made


@pytest.mark.parametrize("name", sorted(SNIPPETS))
async def test_a_client_gets_what_the_api_gives(name: str, local: Gateway, lenient: Gateway) -> None:
    gateway = lenient if name == "jina-cli" else local
    embedded, ranked = await gateway.embed(TEXTS), await gateway.rerank(QUERY, TEXTS)
    made = await shown(name, gateway)
    expected = [entry["embedding"] for entry in embedded.json["data"]]
    assert np.allclose(made["vectors"], expected, atol=1e-6)
    assert np.allclose(made.get("others", expected), expected, atol=1e-6)
    assert ("order" in made) == (name in RANKS)
    if name in RANKS:
        assert made["order"] == [place["index"] for place in ranked.json["results"]] == [1, 0]


async def test_the_openai_client_lists_models_and_finds_each_by_both_names(local: Gateway) -> None:
    made = await shown("openai", local)
    name = f"sentence-transformers/{MODEL}"
    assert made["models"] == [name, "gateway/bm25-wordpiece", name]


def test_every_kind_of_client_has_its_snippet() -> None:
    assert set(SNIPPETS) > RANKS
    assert {"openai", "langchain-openai", "chroma", "tei"} == set(SNIPPETS) - RANKS
