from __future__ import annotations

import tracemalloc

import orjson

from gateway.exact import exact


def test_the_copy_takes_no_more_than_its_length() -> None:
    tracemalloc.start()
    try:
        made = orjson.dumps("letters and " * 500)
        before = tracemalloc.get_traced_memory()[0]
        kept = exact(made)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept == made
    assert len(made) < taken < 1.1 * len(made)
