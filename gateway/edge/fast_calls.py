"""E: whole requests as bytes → the bytes of responses on the fast path, or word that the HTTP parser must take them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from gateway.authenticate import recognise
from gateway.edge.call import known_id
from gateway.edge.client_address import client_address
from gateway.edge.fast_replies import Telling, hit_bytes, hit_fields, varying
from gateway.edge.request_head import read_head
from gateway.endpoints import ENDPOINTS
from gateway.errors import GatewayError
from gateway.fast.attempts import Attempts
from gateway.fast.form import MOST_BYTES, Forms, read
from gateway.fast.formed import MOST_AT_ONCE, Hit
from gateway.fast.repeat import Asker, Candidate, Question
from gateway.vocabulary import Facts

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.edge.fast_replies import Recipient
    from gateway.edge.flow import Streamed
    from gateway.edge.request_head import RequestHead
    from gateway.endpoints.endpoint import Endpoint
    from gateway.fast.form import Form
    from gateway.fast.formed import FormedCalls
    from gateway.fast.lists import ListedCalls
    from gateway.fast.ongoing import Ongoing
    from gateway.fast.path import FastPath
    from gateway.fast.repeat import Repeat
    from gateway.ports import Clock
    from gateway.vocabulary import Caller, Reply

_NAMES = frozenset({"embeddings", "rerank"})
_ENDPOINTS = {f"/v1/{endpoint.name}": endpoint for endpoint in ENDPOINTS if endpoint.name in _NAMES}
PATHS = frozenset(_ENDPOINTS)
_HEADS = 4_096
"""Heads known by their digest; each client's calls have the same one, but for ids."""

_DIGEST_BYTES = 16
_LIST_BYTES = 512
"""Of a body, at least, whose list may be remembered by its keys."""

_LIST_TEXTS = 128
"""So many are remembered by their keys; fewer with the whole answer, which saves 100 µs and takes a megabyte or two."""
_FORMED = "embeddings"


@dataclass(slots=True, eq=False)
class KnownHead:
    """What a head says, and whose it is as long as the snapshot is the same.

    The key in it is not kept, but for the time of a call whose head will not come again.
    """

    head: RequestHead
    snapshot: Snapshot | None = None
    caller: Caller | None = None


class FastCalls:
    """One for a worker: knows heads, and stands between connections and the fast path."""

    def __init__(self, fast_path: FastPath, formed: FormedCalls, lists: ListedCalls, clock: Clock) -> None:
        self._fast_path = fast_path
        self._formed = formed
        self._lists = lists
        self._forms = Forms()
        self._unknown = Attempts()
        self._clock = clock
        self._heads: dict[bytes, KnownHead] = {}
        self.closing = False

    def known(self, raw: bytes) -> KnownHead | None:
        """What a head says; None: the parser must say."""
        secret = self._fast_path.snapshot.secret[:64]
        digest = blake2b(raw, digest_size=_DIGEST_BYTES, key=secret).digest()
        known = self._heads.get(digest)
        if known is None:
            head = read_head(raw)
            if head is None:
                return None
            if head.request_id is not None or head.traceparent:  # the next one differs
                return KnownHead(head)
            known = KnownHead(replace(head, credentials=None))
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            self._heads[digest] = known
        return known

    def takes(self, known: KnownHead) -> bool:
        """Whether it is a call of the kind that may be answered here."""
        return known.head.ordinary and known.head.path in PATHS and not self.closing

    def ask(
        self, known: KnownHead, raw: bytes, body: bytes, remote: str, later: Recipient
    ) -> tuple[bytes, ...] | Streamed | Ongoing | Candidate | None:
        """The bytes of the response, or a call whose response `later` is given; else the parser must take it.

        Then what is to be learnt from the pipeline's answer, if anything.
        """
        started = self._clock.monotonic()
        caller = self._caller(known, raw)
        if caller is None:
            return None
        snapshot = self._fast_path.snapshot
        head = known.head
        digest = blake2b(body, digest_size=_DIGEST_BYTES, key=snapshot.secret[:64]).digest()
        question = Question(head.path, caller.org, caller.tenant, caller.key_id, digest)
        client = ""
        if snapshot.config.limits.rpm_per_address is not None:
            client = client_address(remote, head.forwarded, snapshot.config.limits.trusted_proxies)
        identifier = known_id(head.request_id) or self._clock.identifier()
        asker = Asker(caller, client, identifier, started, head.traceparent)
        repeat = self._fast_path.answer(question, asker)
        if repeat is not None:
            return _repeated(repeat, identifier), repeat.body
        if self._fast_path.knows(question):  # a limit or a trace is the pipeline's to see to
            return None
        hit = self._lists.answer(question, snapshot, asker) if len(body) > _LIST_BYTES else None
        if hit is not None:
            return hit_bytes(hit, identifier)
        return self._ask(Candidate(question, snapshot, caller), body, asker, later)

    def _ask(
        self, candidate: Candidate, body: bytes, asker: Asker, later: Recipient
    ) -> tuple[bytes, ...] | Streamed | Ongoing | Candidate | None:
        """The same of a call that nobody remembers."""
        endpoint = _ENDPOINTS[candidate.question.path]
        form, texts = self._form_of(endpoint, body, candidate)
        if form is None:
            return self._work_out(candidate, endpoint, body, asker)
        telling = Telling(later, asker.request_id, candidate.snapshot.config.server.errors)
        answer = self._formed.ask(form, texts, asker, telling.tell)
        if not isinstance(answer, Hit):
            learn = answer is None and len(texts) > MOST_AT_ONCE and self._fast_path.worth_learning(candidate.question)
            return replace(candidate, form=form) if learn else answer
        if self._fast_path.worth_learning(candidate.question):
            self._remember(candidate, form, answer, body, asker.request_id)
        return hit_bytes(answer, asker.request_id)

    def _remember(self, candidate: Candidate, form: Form, hit: Hit, body: bytes, identifier: str) -> None:
        """Remember a call of a form that came before: whole, or where that takes too much, by its keys."""
        if len(hit.keys) < _LIST_TEXTS:
            facts = Facts(form.endpoint.name, identifier)
            reply = self._fast_path.work_out(candidate, form.endpoint, body, facts)
            if reply is not None:
                self.learn(candidate, reply, facts)
                if self._fast_path.knows(candidate.question):
                    return
        if len(body) > _LIST_BYTES:
            self._lists.remember(candidate.question, form, hit.keys)

    def _form_of(self, endpoint: Endpoint, body: bytes, candidate: Candidate) -> tuple[Form | None, list[str]]:
        """The form of a call, if it has one, and its texts."""
        if endpoint.name != _FORMED or len(body) > MOST_BYTES:
            return None, []
        found = read(body)
        if found is None:
            return None, []
        kind, texts = found
        if not (known := self._forms.has(kind, candidate)) and not self._unknown.worth():
            return None, []
        self._unknown.tried(success=known)
        return self._forms.get(kind, endpoint, candidate), texts

    def _work_out(
        self, candidate: Candidate, endpoint: Endpoint, body: bytes, asker: Asker
    ) -> tuple[bytes, ...] | Candidate | None:
        facts = Facts(endpoint.name, asker.request_id)
        reply = self._fast_path.work_out(candidate, endpoint, body, facts)
        if reply is None:
            return candidate
        self.learn(candidate, reply, facts)
        repeat = self._fast_path.answer(candidate.question, asker)
        return candidate if repeat is None else (_repeated(repeat, asker.request_id), repeat.body)

    def knows_caller(self, known: KnownHead, raw: bytes) -> bool:
        """Whether it is such a call, of somebody who may call."""
        return self.takes(known) and self._caller(known, raw) is not None

    def learn(self, candidate: Candidate, reply: Reply, facts: Facts) -> None:
        """The pipeline answered it with that reply."""
        if reply.sources and candidate.form is not None:
            self._lists.remember(candidate.question, candidate.form, [key for key, _ in reply.sources])
        elif reply.sources:
            fields = hit_fields(reply.hits, reply.duplicates, reply.warnings)
            self._fast_path.learn(candidate, b"%bContent-Length: %d\r\n" % (fields, len(reply.body)), reply, facts)

    def _caller(self, known: KnownHead, raw: bytes) -> Caller | None:
        """Who asks; None for nobody, who is told so, and counted, by the pipeline."""
        snapshot = self._fast_path.snapshot
        if known.snapshot is not snapshot:
            head = known.head if known.head.credentials is not None else read_head(raw)
            try:
                known.caller = recognise(head.credentials if head else None, snapshot, self._clock.epoch())
            except GatewayError:
                return None
            known.snapshot = snapshot
        caller = known.caller
        if caller is not None and caller.expires is not None and caller.expires <= self._clock.epoch():
            return None
        return caller


def _repeated(repeat: Repeat, identifier: str) -> bytes:
    return repeat.head + varying(repeat.remaining, identifier)
