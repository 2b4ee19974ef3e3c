from __future__ import annotations

import asyncio
import json
import shlex
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from fakes.running_gateway import MODEL, clean_environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fakes.running_gateway import Gateway


async def run_as_printed(line: str) -> Any:
    """What a command of the banner answers when a shell runs it."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", line), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=clean_environment()
    )
    out, err = await process.communicate()
    assert process.returncode == 0
    assert err == b""
    return json.loads(out)


def commands(gateway: Gateway) -> list[str]:
    return [line for line in gateway.said().splitlines() if line.startswith("curl ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")
async def test_both_commands_of_the_banner_answer_as_printed(local: Gateway) -> None:
    embed, rerank = commands(local)
    answer = await run_as_printed(embed)
    assert answer["model"] == MODEL
    assert [entry["index"] for entry in answer["data"]] == [0, 1]
    assert {len(entry["embedding"]) for entry in answer["data"]} == {384}
    answer = await run_as_printed(rerank)
    scores = [entry["relevance_score"] for entry in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    documents = json.loads(shlex.split(rerank)[-1])["documents"]
    assert sorted(entry["index"] for entry in answer["results"]) == list(range(len(documents)))
    assert all(entry["document"] == documents[entry["index"]] for entry in answer["results"])


def test_the_banner_in_a_file_is_complete(local: Gateway) -> None:
    said = local.said()
    assert said.startswith(f"Gateway serves on {local.url} ")
    for part in (
        f"Metrics:  {local.url}/metrics",
        "Store:    Valkey",
        f"Model:    {MODEL}",
        f"{local.data_dir}/dev-key",
    ):
        assert part in said


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(local: Gateway) -> None:
    file = local.data_dir / "dev-key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert local.data_dir.stat().st_mode & 0o777 == 0o700
    assert len(local.key) == 65
    assert local.key.startswith("jina_")
    assert all(f"Bearer {local.key}" in line for line in commands(local))


async def test_a_second_start_has_the_same_key_and_the_same_cache(
    launch: Callable[..., Awaitable[Gateway]], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")
    texts = ["Cats sleep.", "Dogs bark.", "Cats sleep."]
    gateway = await launch(data=tmp_path / "data")
    first = await gateway.embed(texts)
    assert (first.status, first.cached) == (200, (1, 2))
    ranked = await gateway.rerank("What do cats do?", texts)
    key = gateway.key
    await gateway.stop()

    gateway = await launch(data=tmp_path / "data")
    assert gateway.key == key
    again = await gateway.embed(texts)
    assert (again.status, again.cached) == (200, (3, 0))
    assert again.json == first.json
    assert (await gateway.rerank("What do cats do?", texts)).json == ranked.json
