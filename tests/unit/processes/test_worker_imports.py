"""What a plain worker does not load: each of these costs megabytes and a part of its start, and few ever need it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pathlib import Path

UNWANTED = frozenset(
    {
        "aiobotocore",
        "botocore",
        "click",
        "fsspec",
        "gateway.cli",
        "gateway.endpoints.openapi",
        "gateway.processes.local_model.engine",
        "gcsfs",
        "imagesize",
        "jinja2",
        "matplotlib",
        "numpy.random",
        "onnxruntime",
        "opentelemetry",
        "pandas",
        "psutil",
        "pygments",
        "rich",
        "s3fs",
        "scipy",
        "sklearn",
        "tiktoken",
        "tokenizers",
        "typer",
        "watchfiles",
        "xml.etree.ElementTree",
    }
)

PLAIN = """
import json, sys
from gateway.processes import worker
worker.import_lean()
from gateway.app.worker import App
from gateway.authenticate import digest
from gateway.config.backends import Backend
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config, Server
jina = Backend(dialect="jina", url="http://127.0.0.1:1", key="k" * 20)
config = Config(server=Server(data_dir=sys.argv[1]), backends={"jina": jina})

async def put_together():
    App(compile_snapshot(config, secret=b"s" * 32, digest=digest), "unix:///nowhere")

import asyncio
asyncio.run(put_together())
print(json.dumps(sorted(sys.modules)))
"""


def test_a_plain_worker_loads_nothing_heavy_that_it_may_never_need(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PLAIN, str(tmp_path)], capture_output=True, check=True)
    loaded = frozenset(orjson.loads(done.stdout.splitlines()[-1]))
    assert {"structlog", "redis.asyncio"} < loaded
    assert loaded & UNWANTED == frozenset()
