"""P: the written spec of gateway.dispatch.retry, and docs/fan-out.md beside its table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.dialect import Outcome, OutcomeKind
from gateway.dispatch.retry import (
    CALLERS_KEY,
    CUT_SHORT,
    GIVE_UP,
    LONGEST_WAIT_SECONDS,
    NEXT_TURN,
    ROWS,
    Again,
    Blame,
    Decision,
    Row,
    decide,
    failure,
    row,
)
from gateway.errors import Code, FieldError, service_timeout
from gateway.vocabulary import Item, Job, Shape

LATE = service_timeout(60)
JOB = Job("rerank", "m", "r", ((Item.text("a"),),), Shape.SCORE, (), None, query="q")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "fan-out.md"


@dataclass(frozen=True)
class Facts:
    attempt: int = 0
    retries: int = 2
    remaining: float = 60.0
    chance: float = 0.5
    others: bool = False
    budget: bool = True
    billed: bool = False
    of_the_caller: bool = False


def decided(outcome: Outcome | OutcomeKind, facts: Facts) -> Decision:
    outcome = Outcome(outcome) if isinstance(outcome, OutcomeKind) else outcome
    return decide(
        outcome,
        attempt=facts.attempt,
        retries=facts.retries,
        remaining=facts.remaining,
        chance=facts.chance,
        others=facts.others,
        budget=facts.budget,
        billed=facts.billed,
        of_the_caller=facts.of_the_caller,
    )


AWAY = Decision(again=True, elsewhere=True)
AWAY_FREE = Decision(again=True, elsewhere=True, counted=False)
HERE = Decision(again=True, wait=0.1)
HERE_FREE = Decision(again=True, wait=0.1, counted=False)

# the outcome; what is done with others and without, not billed; the same, billed
DECISIONS = [
    (OutcomeKind.INVALID, GIVE_UP, GIVE_UP, GIVE_UP, GIVE_UP),
    (OutcomeKind.TOO_LARGE, GIVE_UP, GIVE_UP, GIVE_UP, GIVE_UP),
    (OutcomeKind.MODEL_NOT_FOUND, AWAY, GIVE_UP, AWAY, GIVE_UP),
    (OutcomeKind.BUSY, AWAY, NEXT_TURN, AWAY, NEXT_TURN),
    (OutcomeKind.REFUSED, AWAY, GIVE_UP, AWAY, GIVE_UP),
    (OutcomeKind.UNAVAILABLE, AWAY, HERE, AWAY, HERE),
    (OutcomeKind.UNREACHABLE, AWAY_FREE, HERE_FREE, AWAY_FREE, HERE_FREE),
    (OutcomeKind.RESET, AWAY, HERE, AWAY, HERE),
    (OutcomeKind.TIMEOUT, AWAY, GIVE_UP, GIVE_UP, GIVE_UP),
    (OutcomeKind.GARBAGE, AWAY, HERE, AWAY, GIVE_UP),
]
OUTCOMES = [entry[0] for entry in DECISIONS]


@pytest.mark.parametrize(("kind", "others", "alone", "billed_others", "billed_alone"), DECISIONS)
def test_the_outcome_table(
    kind: OutcomeKind, others: Decision, alone: Decision, billed_others: Decision, billed_alone: Decision
) -> None:
    assert decided(kind, Facts(others=True)) == others
    assert decided(kind, Facts()) == alone
    assert decided(kind, Facts(others=True, billed=True)) == billed_others
    assert decided(kind, Facts(billed=True)) == billed_alone


def test_every_outcome_is_in_both_tables() -> None:
    assert set(OUTCOMES) == set(OutcomeKind) - {OutcomeKind.ANSWERED}
    assert set(ROWS) == set(OutcomeKind)


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("others", [False, True])
def test_a_spent_budget_stops_what_is_more_load(kind: OutcomeKind, others: bool) -> None:  # noqa: FBT001 - a table
    decision = decided(kind, Facts(others=others, budget=False))
    if kind is OutcomeKind.UNREACHABLE:
        assert decision == (AWAY_FREE if others else HERE_FREE)
    else:
        assert decision == (NEXT_TURN if kind is OutcomeKind.BUSY else GIVE_UP)


def test_a_useless_answer_is_worth_one_more_try_only() -> None:
    for facts in (Facts(attempt=1), Facts(attempt=1, others=True)):
        assert decided(OutcomeKind.GARBAGE, facts) == GIVE_UP


@pytest.mark.parametrize(("attempt", "chance", "wait"), [(0, 0.0, 0.05), (0, 0.5, 0.1), (1, 0.5, 0.2), (2, 1.0, 0.6)])
def test_pauses_double_and_are_spread(attempt: int, chance: float, wait: float) -> None:
    decision = decided(OutcomeKind.RESET, Facts(attempt, retries=5, chance=chance))
    assert decision.wait == pytest.approx(wait)


@pytest.mark.parametrize(
    ("asked", "remaining", "wait"),
    [(2.0, 60.0, 2.0), (5.0, 60.0, 5.0), (5.1, 60.0, None), (2.0, 2.0, None), (0.01, 60.0, 0.1), (None, 0.1, None)],
)
def test_a_short_pause_that_the_backend_asks_for_is_kept(
    asked: float | None, remaining: float, wait: float | None
) -> None:
    decision = decided(Outcome(OutcomeKind.UNAVAILABLE, retry_after=asked), Facts(remaining=remaining))
    assert decision == (GIVE_UP if wait is None else Decision(again=True, wait=wait))


@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_callers_own_key_goes_nowhere_else_and_blames_nobody(kind: OutcomeKind) -> None:
    decision = decided(kind, Facts(others=True, of_the_caller=True))
    assert not decision.elsewhere
    found = row(kind, of_the_caller=True)
    if kind in CALLERS_KEY:
        assert decision == GIVE_UP
        assert (found.blame, found.alerts, found.pauses) == (Blame.NOBODY, False, False)
    else:
        assert found == ROWS[kind]


def test_a_timeout_at_the_clients_deadline_is_not_held_against_the_backend() -> None:
    assert row(OutcomeKind.TIMEOUT, cut_short=True) == CUT_SHORT
    assert row(OutcomeKind.TIMEOUT).blame is Blame.BACKEND
    assert row(OutcomeKind.RESET, cut_short=True) == ROWS[OutcomeKind.RESET]


facts = st.builds(
    Facts,
    attempt=st.integers(0, 6),
    retries=st.integers(0, 5),
    remaining=st.floats(-1, 20),
    chance=st.floats(0, 1, exclude_max=True),
    others=st.booleans(),
    budget=st.booleans(),
    billed=st.booleans(),
    of_the_caller=st.booleans(),
)
outcomes = st.builds(
    Outcome,
    kind=st.sampled_from(OUTCOMES),
    retry_after=st.none() | st.floats(0, 10),
)


@settings(deadline=None)
@given(outcome=outcomes, known=facts)
def test_what_always_holds(outcome: Outcome, known: Facts) -> None:
    decision = decided(outcome, known)
    assert decision.wait < max(known.remaining, 1e-9)
    assert 0 <= decision.wait <= LONGEST_WAIT_SECONDS
    assert not (decision.again and known.remaining <= 0)
    assert not (decision.counted and not (known.budget and known.attempt < known.retries))
    assert not (decision.elsewhere and (not known.others or known.of_the_caller or decision.wait))
    paid = outcome.kind in {OutcomeKind.TIMEOUT, OutcomeKind.GARBAGE} and known.billed
    assert not (decision.again and paid and not decision.elsewhere)
    assert not (decision.again and paid and outcome.kind is OutcomeKind.TIMEOUT)


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("of_the_caller", [False, True])
def test_the_client_is_told_the_code_of_the_row(kind: OutcomeKind, of_the_caller: bool) -> None:  # noqa: FBT001 - a table
    code = row(kind, of_the_caller=of_the_caller).code
    assert failure(Outcome(kind), JOB, LATE, of_the_caller=of_the_caller).code is code


OWN_KEYS = [
    (Code.AUTH_MISSING_API_KEY, Code.AUTH_INVALID_API_KEY),
    (Code.AUTH_INVALID_API_KEY, Code.AUTH_INVALID_API_KEY),
    (Code.AUTH_INVALID_FORMAT, Code.AUTH_INVALID_API_KEY),
    (Code.AUTHZ_INSUFFICIENT_BALANCE, Code.AUTHZ_INSUFFICIENT_BALANCE),
    (Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED, Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED),
    (Code.RESOURCE_NOT_FOUND, Code.SERVICE_UNAVAILABLE),
    (None, Code.SERVICE_UNAVAILABLE),
]


@pytest.mark.parametrize(("upstream", "told"), OWN_KEYS)
def test_what_is_wrong_with_a_key_is_told_to_its_owner_alone(upstream: Code | None, told: Code) -> None:
    outcome = Outcome(OutcomeKind.REFUSED, code=upstream)
    assert failure(outcome, JOB, LATE, of_the_caller=True).code is told
    assert failure(outcome, JOB, LATE).code is Code.SERVICE_UNAVAILABLE


def test_a_refused_input_keeps_the_backends_words_and_fields() -> None:
    errors = (FieldError("body -> input", "too long", "value_error"),)
    error = failure(Outcome(OutcomeKind.INVALID, message="too long", errors=errors), JOB, LATE)
    assert error.message == "too long"
    assert error.errors == errors


def test_a_refused_input_without_fields_names_the_list_it_was_in() -> None:
    error = failure(Outcome(OutcomeKind.INVALID, message="too long"), JOB, LATE)
    assert error.errors == (FieldError("body -> m -> documents", "too long", "value_error"),)


def test_a_refusal_of_our_credentials_says_nothing_of_them() -> None:
    error = failure(Outcome(OutcomeKind.REFUSED, message="key jina_x is out of balance"), JOB, LATE)
    assert "jina_x" not in error.message


def cells(name: str, found: Row) -> str:
    def yes(flag: bool) -> str:  # noqa: FBT001 - a cell
        return "yes" if flag else ""

    code = f"`{found.code}`" if found.code else "the answer"
    words = (name, found.again, found.blame, yes(found.bisect), yes(found.pauses), yes(found.alerts), code)
    return "| " + " | ".join(words) + " |"


def test_the_page_shows_the_table_as_it_is() -> None:
    lines = [cells(f"`{kind}`", found) for kind, found in ROWS.items()]
    lines.append(cells(f"`{OutcomeKind.TIMEOUT}`, at the client's own deadline", CUT_SHORT))
    lines += [cells(f"`{kind}`, the caller's own key", found) for kind, found in CALLERS_KEY.items()]
    section = PAGE.read_text().partition("## Outcomes\n")[2].partition("\n## ")[0]
    shown = [line for line in section.splitlines() if line.startswith("| `")]
    assert shown == lines, "\n".join(lines)


def test_the_page_explains_every_word_of_the_table() -> None:
    text = PAGE.read_text()
    assert not [word for word in (*Again, *Blame) if f"*{word}*" not in text]
