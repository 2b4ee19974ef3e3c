"""E: libraries loaded without what they would load, or make, for uses that a gateway has not."""

from __future__ import annotations

import importlib
import os
import ssl
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNUSED = {"structlog": "rich", "redis.asyncio": "opentelemetry"}
"""Libraries, each with what it loads where that is installed, 3 MB that nobody uses: for tracebacks on a terminal,
and for metrics of its own (our traces load what they need later)."""


def import_lean() -> None:
    """Load what a worker needs of these: structlog, redis, numpy's settings, aiohttp."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's: workers, not their threads, share the processors
    for library in _UNUSED:
        import_without(library)
    if "aiohttp" not in sys.modules:
        with _no_idle_certificates():
            importlib.import_module("aiohttp")


def import_without(library: str) -> None:
    """Load one of _UNUSED, unless it or what it is not to load is there already."""
    unused = _UNUSED[library]
    if library not in sys.modules and unused not in sys.modules:
        sys.modules[unused] = None  # type: ignore[assignment] # what import takes for "there is none"
        importlib.import_module(library)
        del sys.modules[unused]


@contextmanager
def _no_idle_certificates() -> Iterator[None]:
    """No context of TLS that verifies nothing reads the system's certificates: aiohttp makes one as it is loaded.

    It takes 1.5 MB and 20 ms. Were it to verify after all, it would trust nobody.
    """
    read = ssl.SSLContext.set_default_verify_paths

    def read_if_wanted(context: ssl.SSLContext) -> None:
        if context.verify_mode is not ssl.CERT_NONE:
            read(context)

    ssl.SSLContext.set_default_verify_paths = read_if_wanted  # type: ignore[assignment, method-assign] # until aiohttp is there
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths  # what it inherits is found again
