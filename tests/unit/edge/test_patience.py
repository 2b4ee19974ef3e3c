from __future__ import annotations

import pytest

from gateway.edge.patience import Patience, Seen, Verdict, Watch

PATIENCE = Patience(receive=10.0, idle=75.0)
TICK = PATIENCE.tick


class Connection:
    """What a connection does, as looks at it every tick on a virtual clock see it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.watch = Watch(self.now)
        self.count = 0
        self.waiting = True
        self.unsent = 0
        self.taken: int | None = 0

    def live(self, seconds: float, *, sends: bool = False, takes: int = 0) -> tuple[Verdict, float]:
        """The first verdict but KEEP and when it came, or KEEP after so many seconds; `takes` bytes a second."""
        began = self.now
        while self.now - began < seconds:
            self.now += TICK
            if self.taken is not None:
                self.taken += int(takes * TICK)
            seen = Seen(self.waiting, self.count, sends, self.unsent, self.taken)
            verdict = self.watch.look(seen, self.now, PATIENCE)
            if verdict is not Verdict.KEEP:
                return verdict, self.now - began
        return Verdict.KEEP, self.now - began

    def asks(self, seconds: float = 1.0) -> None:
        """A request, answered within a second."""
        self.count += 1
        self.waiting = False
        assert self.live(seconds, sends=True)[0] is Verdict.KEEP
        self.waiting = True


@pytest.mark.parametrize("sends", [False, True], ids=["nothing after accept", "byte by byte"])
def test_a_first_head_that_does_not_end_is_late_within_its_time(*, sends: bool) -> None:
    verdict, seconds = Connection().live(60, sends=sends)
    assert verdict is Verdict.LATE
    assert 8.5 <= seconds <= 10 - TICK


def test_a_later_head_is_late_as_soon_and_not_after_the_idle_time() -> None:
    connection = Connection()
    connection.asks()
    assert connection.live(30)[0] is Verdict.KEEP
    verdict, seconds = connection.live(60, sends=True)
    assert verdict is Verdict.LATE
    assert 8 <= seconds <= 10 - TICK


def test_a_head_whose_sender_falls_silent_is_late_too() -> None:
    connection = Connection()
    connection.asks()
    assert connection.live(2 * TICK)[0] is Verdict.KEEP
    assert connection.live(TICK, sends=True)[0] is Verdict.KEEP
    verdict, seconds = connection.live(60)
    assert verdict is Verdict.LATE
    assert seconds <= 10


def test_what_asks_nothing_is_kept_for_the_idle_time() -> None:
    connection = Connection()
    connection.asks()
    verdict, seconds = connection.live(200)
    assert verdict is Verdict.IDLE
    assert 70 <= seconds <= 75


def test_a_request_may_take_its_time_and_each_starts_the_idle_time_anew() -> None:
    connection = Connection()
    connection.asks(300.0)
    for _ in range(5):
        assert connection.live(60)[0] is Verdict.KEEP
        connection.asks()


def test_requests_faster_than_the_looks_are_no_late_head() -> None:
    connection = Connection()
    for _ in range(200):
        connection.count += 1
        assert connection.live(TICK, sends=True)[0] is Verdict.KEEP


@pytest.mark.parametrize(("takes", "verdict"), [(0, Verdict.STUCK), (500, Verdict.STUCK), (2_000, Verdict.KEEP)])
def test_an_answer_must_be_taken_at_a_kilobyte_a_second(takes: int, verdict: Verdict) -> None:
    connection = Connection()
    connection.waiting, connection.unsent = False, 1_000_000
    found, seconds = connection.live(60, takes=takes)
    assert found is verdict
    assert verdict is Verdict.KEEP or seconds <= 10


def test_an_answer_that_waits_for_its_next_piece_is_not_stuck() -> None:
    connection = Connection()
    connection.waiting = False
    for _ in range(10):
        connection.unsent = 10
        assert connection.live(8)[0] is Verdict.KEEP
        connection.unsent = 0
        assert connection.live(1)[0] is Verdict.KEEP


def test_where_nobody_knows_what_was_taken_nothing_is_said() -> None:
    connection = Connection()
    connection.waiting, connection.unsent, connection.taken = False, 1_000_000, None
    assert connection.live(60)[0] is Verdict.KEEP


def test_a_connection_that_is_lost_between_two_looks_is_looked_at_often_enough() -> None:
    assert Patience(receive=0.4).tick == pytest.approx(0.02)
    assert Patience(receive=600.0, idle=600.0).tick == 0.5
    assert Patience(receive=10.0).stretch == (8.0, 8_192)
