"""E: the sidecar: callers' own keys go to the upstream, and are in nothing that the gateway writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakes.jina_upstream import KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
ONE, OTHER, REFUSED = ("jina_" + letter * 60 for letter in "opr")
CONFIG = """
server: {{authentication: passthrough, passthrough_tier: tier1}}
backends: {{jina: {{dialect: jina, url: {url}, key: "${{JINA_API_KEY}}"}}}}
observe: {{log_sample: 1.0, log_level: debug}}
"""


async def test_the_upstream_sees_each_callers_key_and_nothing_else_does(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str, tmp_path: Path
) -> None:
    upstream.keys = {ONE, OTHER}
    config = CONFIG.format(url=upstream_url)
    gateway = await launch(config, key=ONE, data=tmp_path / "data", workers=2)
    for key in (ONE, OTHER, ONE, OTHER):
        assert (await gateway.embed("a", key, MODEL)).status == 200
    assert upstream.presented == [ONE, OTHER]
    assert (await gateway.embed("a", REFUSED, MODEL)).failure == (401, "AUTH_INVALID_API_KEY")
    assert upstream.presented == [ONE, OTHER, REFUSED]

    metrics = (await gateway.get("/metrics")).body.decode()
    assert 'tenant="passthrough"' in metrics
    assert 'tenant="key-' not in metrics
    assert not (tmp_path / "data" / "dev-key").exists()
    await gateway.on_disk()
    await gateway.stop()
    written = gateway.said() + gateway.logged() + metrics
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    for key in (ONE, OTHER, REFUSED, KEY):
        assert key not in written
        assert not [path for path in files if key.encode() in path.read_bytes()]
