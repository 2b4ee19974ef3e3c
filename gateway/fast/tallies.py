"""C: what calls of one moment that were answered from the cache come to in the ledger: one row for all of a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.vocabulary import Tally

if TYPE_CHECKING:
    from gateway.fast.form import Form
    from gateway.fast.means import Means


class Tallies:
    """Of calls that are told only after `count`, so that whoever has an answer is in the journal.

    Of each form: calls, tokens, what they saved in nano-dollars.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._sums: dict[Form, list[int]] = {}

    def hit(self, form: Form, tokens: int, saved_nanos: int) -> None:
        """A call that was answered from the cache."""
        sums = self._sums.get(form)
        if sums is None:
            sums = self._sums[form] = [0, 0, 0]
        sums[0] += 1
        sums[1] += tokens
        sums[2] += saved_nanos

    def count(self) -> None:
        """Bring all into the ledger."""
        for form, (calls, tokens, saved_nanos) in self._sums.items():
            form.account = self._means.count(form.account, Tally(calls, tokens, 0, 0, tokens, saved_nanos))
