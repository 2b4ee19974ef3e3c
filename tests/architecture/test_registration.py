"""A backend or an endpoint is one file and one line in a tuple; a file that is not registered is found here."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from gateway.backends import DIALECTS
from gateway.endpoints import ENDPOINTS, FRONTS
from gateway.endpoints.front_cohere import CohereRerankV1

ROOT = Path(__file__).resolve().parents[2] / "gateway"


def classes_with(package: str, methods: set[str]) -> set[type]:
    """Every concrete class of a package that has these methods."""
    found: set[type] = set()
    for path in (ROOT / package).glob("*.py"):
        module = importlib.import_module(f"gateway.{package}.{path.stem}".removesuffix(".__init__"))
        for _, made in inspect.getmembers(module, inspect.isclass):
            protocol = getattr(made, "_is_protocol", False)
            if made.__module__ == module.__name__ and not protocol and methods <= set(dir(made)):
                found.add(made)
    return found


@pytest.mark.parametrize(
    ("package", "methods", "registered"),
    [
        ("backends", {"encode", "decode"}, [type(entry) for entry in DIALECTS]),
        # Cohere's older clients share a path with Jina's, so that theirs is not found by the path alone.
        ("endpoints", {"validate", "assemble"}, [*map(type, ENDPOINTS), *FRONTS.values(), CohereRerankV1]),
    ],
    ids=["backends", "endpoints"],
)
def test_what_is_written_is_registered(package: str, methods: set[str], registered: list[type]) -> None:
    assert classes_with(package, methods) == set(registered)
