"""P: calls that were answered wholly from the cache, as far as they are remembered: within bytes, latest used last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.fast.form import Form
    from gateway.vocabulary import Account, Answer, Caller, Facts, ItemKey, Meter, Remaining, Tally

OVERHEAD_BYTES = 2_500
"""Of a call that is remembered, beside its bytes; rounded up."""

SOURCE_BYTES = 150
"""Of each answer in it, beside its payload, which is counted as if nobody else held it."""


class Question(NamedTuple):
    """A call as the next one like it will be known: who asks, where, and the keyed digest of the body."""

    path: str
    org: str
    tenant: str
    key_id: str
    body: bytes


class Asker(NamedTuple):
    """Who asks, this time.

    `client` is the address that a limit for addresses counts, `started` when the call came (monotonic seconds),
    `traceparent` the header of that name, empty without one.
    """

    caller: Caller
    client: str
    request_id: str
    started: float
    traceparent: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call that the pipeline is about to answer, and that may come again; `form` is known of a long list."""

    question: Question
    snapshot: Snapshot
    caller: Caller
    form: Form | None = None


@dataclass(slots=True, eq=False)
class Repeat:
    """How a call was answered, and will be again while each answer in it is still held here.

    `head` and `body` are the response but for what differs each time. `meters` are None where
    they differ by client address; `tenant` is the one that headers tell of, `remaining` what the latest was told.
    `facts` are those of the first time; `seconds` what each repetition took since the last report.
    """

    snapshot: Snapshot
    sources: tuple[tuple[bytes, Answer], ...]
    head: bytes
    body: bytes
    facts: Facts
    tokens: int
    meters: tuple[Meter, ...] | None
    tenant: Meter | None
    sampled: tuple[ItemKey, ...]
    account: Account
    tally: Tally
    seconds: list[float] = field(default_factory=list)
    remaining: Remaining | None = None

    @property
    def weight(self) -> int:
        """Bytes that it takes, about."""
        return len(self.body) + OVERHEAD_BYTES + sum([SOURCE_BYTES + len(answer.payload) for _, answer in self.sources])


class Repeats:
    """At most `limit_bytes` of them, all of one snapshot: those of another are never asked for again."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.weight = 0
        self._kept: OrderedDict[Question, Repeat] = OrderedDict()
        self._snapshot: Snapshot | None = None

    def get(self, question: Question) -> Repeat | None:
        """The call that is asked again."""
        return self._kept.get(question)

    def use(self, question: Question) -> None:
        """It was asked again, so others are forgotten before it."""
        self._kept.move_to_end(question)

    def keep(self, question: Question, repeat: Repeat) -> None:
        """Remember it, and forget others where room is short; one that takes more than all may is not."""
        if repeat.snapshot is not self._snapshot:
            self._kept.clear()
            self._snapshot, self.weight = repeat.snapshot, 0
        self.forget(question)
        weight = repeat.weight
        if weight > self.limit_bytes:
            return
        self._kept[question] = repeat
        self.weight += weight
        while self.weight > self.limit_bytes:
            self.forget(next(iter(self._kept)))

    def forget(self, question: Question) -> None:
        """It holds no more."""
        repeat = self._kept.pop(question, None)
        if repeat is not None:
            self.weight -= repeat.weight


class Sightings:
    """Bodies that came once, by digest: what comes a second time is worth remembering whole."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._once: set[bytes] = set()

    def again(self, digest: bytes) -> bool:
        """Whether it came before; then it counts as new again."""
        once = self._once
        if digest in once:
            once.remove(digest)
            return True
        if len(once) >= self._most:
            once.clear()
        once.add(digest)
        return False
