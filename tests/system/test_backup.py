"""E: a store is lost, and tenants, keys, usage and balances are not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fakes.jina_upstream import KEY
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment, launched, until

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.jina_upstream import Upstream

MODEL = "jina-embeddings-v3"
CONFIG = """
store: {{url: '{store}', prefix: {prefix}}}
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tenants: {{search: {{tier: tier1, keys: [key-of-the-file]}}}}
"""


async def command(config: Path, *words: str) -> tuple[int, str]:
    """Exit code and both outputs of a command."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *words, "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(),
    )
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_what_a_store_knew_is_known_by_another(
    upstream: Upstream, upstream_url: str, valkey_url: str, tmp_path: Path
) -> None:
    del upstream
    old, new, file = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "state"
    for path in (old, new):
        path.write_text(CONFIG.format(store=valkey_url, prefix=path.stem, url=upstream_url, key=KEY))
    async with launched(old.read_text(), key="key-of-the-file") as gateway:
        assert (await command(old, "tenants", "create", "shop", "--tier", "tier1"))[0] == 0
        code, said = await command(old, "keys", "create", "--tenant", "shop")
        assert code == 0
        made = said.splitlines()[-1]

        async def known() -> bool:
            return (await gateway.embed("a", made, MODEL)).status == 200

        await until(known)
        usage = (await gateway.get("/v1/usage", Authorization=f"Bearer {made}")).json["totals"]
    code, said = await command(old, "backup", str(file))
    count = said.split()[0]
    assert (code, said) == (0, f"{count} entries of the store to {file}\n"), "an operator's keys are those of callers"
    assert file.stat().st_mode & 0o777 == 0o600

    code, said = await command(new, "restore", str(file))
    assert (code, said.partition(".")[0]) == (0, f"{count} entries of the store restored")
    code, said = await command(new, "restore", str(file))
    assert code == 1
    assert "--replace" in said
    async with launched(new.read_text(), key=made) as gateway:
        assert (await gateway.get("/v1/usage", Authorization=f"Bearer {made}")).json["totals"] == usage
        assert (await gateway.embed("a", model=MODEL)).status == 200
