from __future__ import annotations

import re

from gateway.clock import SystemClock


def test_identifiers_are_never_the_same_in_one_process_or_two() -> None:
    clocks = [SystemClock() for _ in range(3)]
    made = [clock.identifier() for clock in clocks for _ in range(1_000)]
    assert len(set(made)) == 3_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in made)
