"""Requests made from /openapi.json, right and wrong, by Schemathesis: no 5xx, and nothing that is not described.

All its checks are on, but for what tests/schemathesis.toml says, with its reasons.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fakes.jina_upstream import KEY
from fakes.running_gateway import clean_environment, launched

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

CONFIG = """
backends:
  local: {{dialect: tei, url: embedded}}
  jina: {{dialect: jina, url: {url}, key: {key}, retries: 0}}
tiers: {{open: {{}}}}
tenants: {{t: {{tier: open, keys: [key-of-somebody-without-limits]}}}}
"""
SETTINGS = Path(__file__).parent.parent / "schemathesis.toml"
EXAMPLES = 15


async def test_answers_are_as_described_whatever_is_sent(upstream_url: str, tmp_path: Path) -> None:
    async with launched(CONFIG.format(url=upstream_url, key=KEY), key="key-of-somebody-without-limits") as gateway:
        said, code = await _checked(gateway, tmp_path)
    assert code == 0, said


async def _checked(gateway: Gateway, folder: Path) -> tuple[str, int | None]:
    """What Schemathesis says, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run"),
        *(f"{gateway.url}/openapi.json", "--header", f"Authorization: Bearer {gateway.key}"),
        *("--max-examples", str(EXAMPLES), "--generation-deterministic", "--no-color"),
        *("--suppress-health-check", "all"),
        cwd=folder,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode(), process.returncode
