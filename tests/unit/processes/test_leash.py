from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from gateway.processes import leash

PATIENCE = 30.0


def test_a_child_whose_parent_has_gone_already_ends() -> None:
    stranger = subprocess.run([sys.executable, "-I", "-S", leash.__file__, "1", "/bin/true"], check=False)
    assert stranger.returncode == 1


def test_the_wrapper_becomes_the_program() -> None:
    arguments = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), "/bin/echo", "a b", "c"]
    assert subprocess.run(arguments, check=True, capture_output=True, text=True).stdout == "a b c\n"


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_the_end_of_the_parent_ends_the_program() -> None:
    parent = (
        "import os, subprocess, sys;"
        f"leash = [sys.executable, '-I', '-S', {leash.__file__!r}, str(os.getpid())];"
        "subprocess.Popen([*leash, '/bin/sh', '-c', 'echo $$; exec sleep 60']);"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        process.kill()
        child.wait(PATIENCE)


def test_elsewhere_the_end_of_standard_input_ends_it() -> None:
    code = (
        "import sys, threading; sys.platform = 'other';"
        "from gateway.processes.leash import follow_parent; import os;"
        "follow_parent(os.getppid()); print('on', flush=True); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        process.stdin.close()
        assert process.wait(PATIENCE) == 1
