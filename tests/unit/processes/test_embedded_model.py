from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gateway.processes.embedded_model import model_program, require_extra
from gateway.processes.problem import StartError


def test_a_missing_package_is_named_with_both_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tokenizers" else found(name))
    with pytest.raises(StartError, match=r"needs tokenizers: pip install 'gateway\[local\]', or name a backend"):
        require_extra()


def test_the_program_listens_on_the_socket_and_goes_with_its_parent() -> None:
    argv = model_program(Path("/s/model.sock")).argv
    assert argv[1:5] == ("-m", "gateway.processes.local_model", "--socket", "/s/model.sock")
    assert "--parent" in argv
