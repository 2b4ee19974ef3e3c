"""C: long lists that come again and are held here, answered without a look at each text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.endpoints.embeddings_parts import parted
from gateway.endpoints.embeddings_reply import closed, each_vector, is_large
from gateway.fast.form import Sums
from gateway.fast.formed import Hit, meters_at
from gateway.fast.listed import Listed, Lists, Ready
from gateway.vocabulary import FLOAT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.embeddings_parts import Piece
    from gateway.fast.form import Form
    from gateway.fast.formed import FormedCalls
    from gateway.fast.means import Means
    from gateway.fast.repeat import Asker, Question
    from gateway.vocabulary import Answer, ItemKey

_SHARE = 32
"""Keys of lists may take one part in so many of what the in-process cache may take, beside it."""


class Layer(Protocol):
    """The in-process layer of the cache."""

    @property
    def limit_bytes(self) -> int:
        """What it may take."""
        ...

    def at_hand(self, keys: Sequence[ItemKey], now: float) -> list[Answer] | None:
        """The answer for each key, if all are held here; they count as used then."""
        ...

    def follow(self, keys: Sequence[ItemKey]) -> float:
        """Follow answers, all of which are held; returns until when they are (monotonic seconds)."""
        ...

    def tell(self, lost: Callable[[], None]) -> None:
        """`lost` is called whenever an answer that is followed, or a form of it, is held no more, or is another."""
        ...


class ListedCalls:
    """One for a worker.

    A reply is put together of the forms that the layer holds, once, and sent again until one of them is lost there or
    metrics are reported, which is a moment: by then nothing may hold on to what the layer has let go, and each answer
    counts as used again.
    """

    def __init__(self, means: Means, formed: FormedCalls, layer: Layer) -> None:
        self._leases = means.leases
        self._trace = means.trace
        self._bulk_gate = means.bulk_gate
        self._observer = means.observer
        self._formed = formed
        self._layer = layer
        self._lists = Lists(layer.limit_bytes // _SHARE)
        layer.tell(self._lists.release)
        means.reports.add(self._lists.release)

    def remember(self, question: Question, form: Form, keys: Sequence[ItemKey]) -> None:
        """That list came again."""
        self._lists.keep(question, Listed(form, keys))

    def answer(self, question: Question, snapshot: Snapshot, asker: Asker) -> Hit | None:
        """The answer to a list that is remembered; None: nothing happened, and it is to be asked as any other."""
        listed = self._lists.get(question, snapshot)
        if listed is None or self._observer.records(asker.traceparent):
            return None
        form, ready = listed.form, listed.ready
        if ready is None or ready.until <= asker.started:
            found = self._layer.at_hand(listed.keys, asker.started)
            if found is None or not form.fits(found):
                return None
            ready = self._prepare(listed, found)
            if ready is None:
                return self._formed.at_once(form, listed.keys, found, asker)
        if not self._leases.spend_at_once(meters_at(form, asker), ready.tokens if form.counts_cached else 0):
            return None
        self._bulk_gate.interactive(asker.started)
        self._trace.seen(ready.sampled)
        return self._hit(listed, ready, asker)

    def _hit(self, listed: Listed, ready: Ready, asker: Asker) -> Hit:
        form, keys = listed.form, listed.keys
        form.sums.add(ready.sums)
        copies = len(keys) - ready.hits
        left = self._formed.counted(form, ready.tokens, ready.hits, copies, asker, self._formed.enter)
        pieces = _pieces(listed, ready.answers, ready.tokens) if ready.pieces else None
        return Hit(ready.parts, ready.hits, copies, form.job.warnings, left, keys, pieces)

    def _prepare(self, listed: Listed, found: Sequence[Answer]) -> Ready | None:
        """The reply as parts, if all of them are held here as they are."""
        form, keys = listed.form, listed.keys
        rows = [answer.fragments.get(form.presentation) for answer in found]
        kept = [row for row in rows if row is not None]
        if len(kept) < len(found) or [1 for answer in found if len(answer.payload) != FLOAT_BYTES * answer.width]:
            return None
        sums = Sums()
        tokens, hits = sums.count(keys, found)
        begun = form.opening % (tokens, tokens)
        large = is_large(found)
        ready = Ready(
            answers=found,
            parts=() if large else closed(begun, kept),
            pieces=tuple(parted(begun, kept)) if large else (),
            sums=sums,
            tokens=tokens,
            hits=hits,
            sampled=self._trace.sampled(keys),
            until=self._layer.follow(keys),
        )
        self._lists.prepared(listed, ready)
        return ready


def _pieces(listed: Listed, answers: Sequence[Answer], tokens: int) -> Generator[Piece]:
    """The pieces of a reply that was ready; what is released meanwhile is made as it is wanted, and not held."""
    form, number, first = listed.form, 0, 0
    while True:
        ready = listed.ready
        if ready is None or ready.answers is not answers:
            begun = b"" if number else form.opening % (tokens, tokens)
            yield from parted(begun, each_vector(answers[first:], form.presentation), first)
            return
        piece, last = ready.pieces[number], number + 1 == len(ready.pieces)
        number, first, ready = number + 1, piece.upto, None
        yield piece
        if last:
            return
