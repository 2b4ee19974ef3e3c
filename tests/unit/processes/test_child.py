from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gateway.processes.child import Program, start

if TYPE_CHECKING:
    from pathlib import Path

READY = "import os,sys; os.write(int(sys.argv[-1]), b'1')"


def python(code: str, grace: float = 10.0, stdin: bytes = b"", log: Path | None = None) -> Program:
    return Program("part", (sys.executable, "-I", "-S", "-c", code), grace, stdin=stdin, log=log)


async def test_one_byte_on_the_pipe_is_ready_and_sigterm_ends_it() -> None:
    child = await start(python(f"{READY}; sys.stdin.read()"))
    assert await child.ready()
    assert await child.stop() == -15


async def test_a_program_that_ends_first_is_not_ready_and_tells_its_code() -> None:
    child = await start(python("raise SystemExit(3)"))
    assert not await child.ready()
    assert await child.stop() == 3


async def test_one_that_will_not_go_is_killed_after_its_grace() -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}; sys.stdin.read()"
    child = await start(python(code, grace=0.05))
    assert await child.ready()
    assert await child.stop() == -9


async def test_standard_input_brings_the_instructions_and_output_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "below" / "part.log"
    child = await start(python("import sys; print(sys.stdin.readline())", stdin=b"hello\n", log=log))
    assert await child.wait() == 0
    assert "hello" in log.read_text()
    assert not await child.ready()


async def test_a_large_log_starts_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.processes.child._LOG_BYTES", 10)
    log = tmp_path / "part.log"
    for text, kept in (("12", "12\n"), ("0123456789", "12\n0123456789\n"), ("c", "c\n")):
        child = await start(python(f"print({text!r})", log=log))
        assert await child.wait() == 0
        assert not await child.ready()
        assert log.read_text() == kept


async def test_a_probe_is_asked_until_it_says_yes() -> None:
    answers = iter([False, False, True])

    async def probe() -> bool:
        return next(answers)

    child = await start(Program("part", (sys.executable, "-c", "input()"), 1.0, probe=probe))
    assert await child.ready()
    assert next(answers, None) is None
    child.kill()
    assert await child.wait() == -9


async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await start(Program("part", ("/no/such/program",), 1.0))
