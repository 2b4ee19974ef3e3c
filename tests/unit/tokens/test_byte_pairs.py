from __future__ import annotations

import subprocess
import sys

import pytest

MIB = 1_048_576
MOST = 10 * MIB
"""Of a table for words: 1 MiB for each thread that ran while it was made; left alone, the library takes 16."""

GROWN = """
import sys
from pathlib import Path
import toktok
from gateway.tokens import byte_pairs

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

loaded = toktok._encoding("cl100k_base")
before = resident()
if sys.argv[1] == "ours":
    byte_pairs.byte_pairs("cl100k_base")
loaded.count("some words, and more of them")
print(resident() - before)
"""


def grown(whose: str) -> int:
    done = subprocess.run([sys.executable, "-c", GROWN, whose], capture_output=True, check=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_vocabulary_that_was_loaded_brings_no_table_of_its_own_size() -> None:
    assert grown("ours") < MOST < grown("theirs")
