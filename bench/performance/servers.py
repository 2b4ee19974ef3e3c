"""What is measured: the gateway, bare aiohttp, nginx, LiteLLM and Portkey, each in front of one upstream."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from performance.programs import PEER_CORE, ROOT, Program, free_port, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

KEY = "jina_" + "b" * 60
MODEL = "jina-embeddings-v3"
JSON = {"Content-Type": "application/json"}
HEADERS = {**JSON, "Authorization": f"Bearer {KEY}"}
PEERS = ROOT / ".venv" / "peers"
LITELLM = PEERS / "litellm" / "bin" / "litellm"
PORTKEY = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


@dataclass(frozen=True)
class Server:
    """A running server; `helpers` run for it and are not counted as it."""

    name: str
    program: Program
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))
    helpers: tuple[Program, ...] = ()


def gateway_config(upstream_port: int, **changes: object) -> dict[str, Any]:
    """Everything on: keys, limits that are large but are kept, cache, metrics, ledger, one answer in 100 logged."""
    return {
        "server": {"secret": "bench-secret-0123456789"},
        "store": {"memory_limit": "2gb"},
        "tiers": {"bench": {"rpm": 10**9, "tpm": 10**12, "concurrency": 10**6}},
        "tenants": {"bench": {"tier": "bench", "keys": [KEY]}},
        "backends": {
            "jina": {
                "dialect": "jina",
                "url": f"http://127.0.0.1:{upstream_port}",
                "key": "jina_" + "u" * 60,
                "concurrency": 256,
            }
        },
        **changes,
    }


@contextmanager
def gateway(  # noqa: PLR0913 - what a gateway can be told
    folder: Path,
    upstream: Program,
    *,
    workers: int = 1,
    config: dict[str, Any] | None = None,
    core: int | None = PEER_CORE,
    name: str = "gateway",
) -> Iterator[Server]:
    """`gateway serve`, with the private store."""
    port = free_port()
    home = folder / f"gateway-{port}"
    home.mkdir()
    (home / "config.yaml").write_text(json.dumps(config or gateway_config(upstream.port)))
    command = [
        *(sys.executable, "-m", "gateway", "serve", "--config", str(home / "config.yaml"), "--port", str(port)),
        *("--data-dir", str(home / "data"), "--workers", str(workers)),
    ]
    program = start(command, port, home / "log", core=core)
    try:
        yield Server(name, program, helpers=(upstream,))
    finally:
        program.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _python(folder: Path, upstream: Program, name: str, script: str, argument: str) -> Iterator[Server]:
    port = free_port()
    program = start(
        [sys.executable, str(ROOT / "bench" / script), str(port), argument], port, folder / f"{script}-{port}.log"
    )
    try:
        yield Server(name, program, helpers=(upstream,))
    finally:
        program.stop()


def bare_application(folder: Path, upstream: Program, answer: bytes) -> AbstractContextManager[Server]:
    """An aiohttp application that sends `answer` to everybody."""
    (folder / "answer").write_bytes(answer)
    return _python(folder, upstream, "bare aiohttp", "bare_application.py", str(folder / "answer"))


def bare_proxy(folder: Path, upstream: Program, _: bytes) -> AbstractContextManager[Server]:
    """Aiohttp's server and its client, and nothing between."""
    return _python(folder, upstream, "bare aiohttp", "bare_proxy.py", f"http://127.0.0.1:{upstream.port}")


NGINX = """
{user} worker_processes 1; daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s; keepalive_requests 100000000; client_body_buffer_size 1m;
  sendfile on; tcp_nopush on; proxy_buffers 16 256k; proxy_buffer_size 64k; proxy_busy_buffers_size 1m;
  open_file_cache max=10000 inactive=60s; open_file_cache_valid 60s;
  proxy_cache_path {home}/cache levels=1 keys_zone=answers:10m max_size=1g use_temp_path=off;
  upstream there {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=1024;
    location / {{ {cache}
      proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""
CACHE = (
    'proxy_cache answers; proxy_cache_methods POST; proxy_cache_valid 200 1h; proxy_cache_key "$uri|$request_body"; '
    "client_max_body_size 8m;"
)


@contextmanager
def _nginx(folder: Path, upstream: Program, cache: str) -> Iterator[Server]:
    port = free_port()
    home = folder / f"nginx-{port}"
    home.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "conf").write_text(NGINX.format(user=user, home=home, upstream=upstream.port, port=port, cache=cache))
    program = start(["nginx", "-p", str(home), "-c", str(home / "conf")], port, home / "log")
    try:
        yield Server("nginx", program, helpers=(upstream,))
    finally:
        program.stop()


def nginx_proxy(folder: Path, upstream: Program, _: bytes) -> AbstractContextManager[Server]:
    """One worker of nginx, with a pool of connections."""
    return _nginx(folder, upstream, "")


def nginx_cache(folder: Path, upstream: Program, _: bytes) -> AbstractContextManager[Server]:
    """One worker of nginx that keeps whole answers by the whole request."""
    return _nginx(folder, upstream, CACHE)


@contextmanager
def litellm(folder: Path, upstream: Program, _: bytes) -> Iterator[Server]:
    """One worker, with its in-process cache and one key."""
    port, key = free_port(), "sk-bench"
    place = {"api_base": f"http://127.0.0.1:{upstream.port}/v1", "api_key": "sk-upstream"}
    cache = {"type": "local", "supported_call_types": ["embedding", "aembedding"]}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": {"model": f"openai/{MODEL}", **place}}],
        "litellm_settings": {"cache": True, "cache_params": cache, "telemetry": False},
        "general_settings": {"master_key": key},
    }
    (folder / "litellm.yaml").write_text(json.dumps(config))
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    command = [str(LITELLM), "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    program = start([*command, "--num_workers", "1"], port, folder / f"litellm-{port}.log", env=env, cwd=folder)
    try:
        yield Server("LiteLLM", program, {**JSON, "Authorization": f"Bearer {key}"}, (upstream,))
    finally:
        program.stop()


@contextmanager
def portkey(folder: Path, upstream: Program, _: bytes) -> Iterator[Server]:
    """The open gateway of Portkey; it has no cache of its own."""
    port = free_port()
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream.port}/v1"}
    env = {**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    command = ["node", str(PORTKEY), f"--port={port}", "--headless"]
    program = start(command, port, folder / f"portkey-{port}.log", env=env, cwd=folder)
    try:
        yield Server("Portkey", program, {**JSON, "Authorization": "Bearer sk-upstream", **headers}, (upstream,))
    finally:
        program.stop()


INSTALLED: dict[str, Callable[[], bool]] = {
    "nginx": lambda: shutil.which("nginx") is not None,
    "LiteLLM": LITELLM.exists,
    "Portkey": lambda: PORTKEY.exists() and shutil.which("node") is not None,
}
"""Of what may be absent: whether it is there."""
