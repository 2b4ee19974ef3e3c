"""E: the configuration file, read from disk with the process's environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.parse import read
from gateway.config.problem import ConfigError, Problem
from gateway.observe.otlp import missing_extra as missing_otel
from gateway.stores.objects import missing_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config import problem
    from gateway.config.parse import Loaded

CONFIG_VARIABLE = "GATEWAY_CONFIG"


def load_config(path: Path | None) -> Loaded:
    """The configuration in the given file, else in the file `GATEWAY_CONFIG` names, else all defaults.

    Raises:
        ConfigError: everything that is wrong with the file, or what it needs that is not installed.
        OSError: the file cannot be read (FileNotFoundError: there is none).
    """
    path = config_path(path)
    if path is None:
        return read("", "defaults", os.environ)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, "", "not UTF-8 text", "save the file as UTF-8")]) from None
    loaded = read(text, str(path), os.environ)
    problems = list(_not_installed(loaded))
    if problems:
        raise ConfigError(problems)
    return loaded


def _not_installed(loaded: Loaded) -> Iterator[Problem]:
    jobs = loaded.config.jobs
    places: list[tuple[problem.Path, str | None]] = [(("jobs", "files"), jobs.files)]
    places += [(("jobs", "inputs", at), place) for at, place in enumerate(jobs.inputs)]
    for path, place in places:
        extra = None if place is None else missing_extra(place)
        if extra is not None:
            remedy = f"install it: pip install 'gateway[{extra}]'"
            yield loaded.origin.problem(path, "needs a package that is not installed", remedy)
    if loaded.config.traces.endpoint is not None and (extra := missing_otel()) is not None:
        remedy = f"install it: pip install 'gateway[{extra}]'"
        yield loaded.origin.problem(("traces", "endpoint"), "needs a package that is not installed", remedy)


def config_path(path: Path | None) -> Path | None:
    """The given file, else the one that `GATEWAY_CONFIG` names, else None."""
    named = os.environ.get(CONFIG_VARIABLE)
    return path or (Path(named) if named else None)
