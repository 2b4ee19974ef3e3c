"""P: calls for the vectors of texts that differ in their texts alone: what all of one form share is found once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from gateway.admit.meters import meters_of, tenant_meter
from gateway.dispatch.dispatcher import SMALL
from gateway.endpoints.embeddings_reply import EmbeddingsPresentation, is_large, opening
from gateway.errors import GatewayError
from gateway.plan.cache_key import narrower
from gateway.plan.derive import source
from gateway.plan.planner import Inquiry
from gateway.settle.savings import saving
from gateway.vocabulary import Account, CacheScope, Cause, Directives, Facts, Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Served, Snapshot
    from gateway.endpoints.endpoint import Endpoint
    from gateway.fast.repeat import Candidate
    from gateway.plan.cache_key import KeyMaker
    from gateway.vocabulary import Answer, Caller, ItemKey, Json, Meter

MOST_TEXTS = 2_048
"""In a call of a form: what takes longer must let others run meanwhile."""

MOST_BYTES = 262_144
"""Of the body of such a call."""

MOST_MADE = 64
"""Vectors that are put into the form asked for at once: one or two milliseconds."""

MOST_TOGETHER = 64
"""Texts of one moment that are asked for as one: more would save little, and keep the first waiting for the last."""

_KEPT = 1_024
_UNLIKE = frozenset({"input", "user"})
"""Fields that do not make another form: the texts, and OpenAI's word for who asks, on which nothing here depends."""

_NO_DIRECTIVES = Directives()
_ONE_TEXT = ((Item.text("x"),),)


@dataclass(slots=True)
class Sums:
    """What calls of a form that were answered from the cache come to, since the last report.

    `seconds` has an entry a call; `hits` and `duplicates` count inputs; tokens and microseconds are those of the
    stored inputs and of their copies.
    """

    seconds: list[float] = field(default_factory=list)
    hits: int = 0
    duplicates: int = 0
    hit_tokens: int = 0
    hit_micros: int = 0
    copied_tokens: int = 0
    copied_micros: int = 0
    saved_nanos: int = 0

    def add(self, other: Sums) -> None:
        """The inputs of another call that was counted before."""
        self.hits += other.hits
        self.duplicates += other.duplicates
        self.hit_tokens += other.hit_tokens
        self.hit_micros += other.hit_micros
        self.copied_tokens += other.copied_tokens
        self.copied_micros += other.copied_micros

    def count(self, keys: Sequence[ItemKey], answers: Sequence[Answer]) -> tuple[int, int]:
        """Another call; how many tokens it is told, and how many distinct texts it has."""
        if len(answers) == 1:
            answer = answers[0]
            self.hits += 1
            self.hit_tokens += answer.tokens
            self.hit_micros += answer.micros
            return answer.tokens, 1
        tokens, micros = sum([answer.tokens for answer in answers]), sum([answer.micros for answer in answers])
        distinct = {key.proof: answer for key, answer in zip(keys, answers, strict=True)}
        hits, own, spent = len(distinct), tokens, micros
        if hits < len(keys):
            own = sum([answer.tokens for answer in distinct.values()])
            spent = sum([answer.micros for answer in distinct.values()])
        self.hits += hits
        self.duplicates += len(keys) - hits
        self.hit_tokens += own
        self.hit_micros += spent
        self.copied_tokens += tokens - own
        self.copied_micros += micros - spent
        return tokens, hits


@dataclass(slots=True, eq=False)
class Form:
    """What calls have in common that differ in nothing but their texts.

    `job` is one without units. `keys` makes the keys of texts, `source_keys` those of answers that theirs follow from,
    if there are such. `opening` is the reply up to its vectors, but for two counts of tokens. `meters` are None where
    they differ by client address. Of texts that nobody has so many may be asked for `together`.
    """

    snapshot: Snapshot
    caller: Caller
    endpoint: Endpoint
    model: Model
    job: Job
    presentation: EmbeddingsPresentation
    inquiry: Inquiry
    keys: KeyMaker
    source_keys: KeyMaker | None
    opening: bytes
    price: str
    meters: tuple[Meter, ...] | None
    tenant: Meter | None
    counts_cached: bool
    account: Account
    together: int = 1
    sums: Sums = field(default_factory=Sums)

    def facts(self, request_id: str, items: int) -> Facts:
        """Of a call that has just come."""
        caller, job = self.caller, self.job
        return Facts(self.endpoint.name, request_id, job.model, caller.label, caller.tier, caller.key_id, items)

    def fits(self, answers: Sequence[Answer]) -> bool:
        """Whether these are answers to this form, of one length, and soon made to a reply."""
        shape, width, presentation = self.job.shape, answers[0].width, self.presentation
        if len(answers) == 1:
            return answers[0].shape is shape
        if [1 for answer in answers if answer.shape is not shape or answer.width != width]:
            return False
        if is_large(answers):  # then it is made while it is sent
            return True
        return len([1 for answer in answers if presentation not in answer.fragments]) <= MOST_MADE

    def reported(self) -> tuple[Facts, list[float]]:
        """The facts of all calls together that were counted since the last time, and their seconds."""
        sums, self.sums = self.sums, Sums()
        facts = self.facts("", 0)
        facts.hits, facts.duplicates, facts.saved_nanos = sums.hits, sums.duplicates, sums.saved_nanos
        facts.reported_tokens = facts.saved_tokens = sums.hit_tokens + sums.copied_tokens
        facts.savings = (saving(Cause.STORED, sums.hits, sums.hit_tokens, sums.hit_micros, self.price),)
        if sums.duplicates:
            copies = saving(Cause.DUPLICATE, sums.duplicates, sums.copied_tokens, sums.copied_micros, self.price)
            facts.savings += (copies,)
        return facts, sums.seconds

    def of(self, texts: Sequence[str]) -> Job:
        """The job of a call."""
        return self.of_items([Item.text(text) for text in texts])

    def of_items(self, items: Sequence[Item]) -> Job:
        """The same of texts as items."""
        job = self.job
        return Job(
            job.endpoint,
            job.model,
            job.revision,
            tuple([(item,) for item in items]),
            job.shape,
            job.parameters,
            job.presentation,
            warnings=job.warnings,
        )


def read(body: bytes) -> tuple[bytes, list[str]] | None:
    """What makes the form of a call, and its texts; None for what cannot be of one."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(fields) is not dict:
        return None
    given = fields.get("input")
    texts = [given] if type(given) is str else given
    if type(texts) is not list or not 0 < len(texts) <= MOST_TEXTS or set(map(type, texts)) != {str}:
        return None
    return orjson.dumps({name: value for name, value in fields.items() if name not in _UNLIKE}), texts


def form_of(kind: bytes, endpoint: Endpoint, snapshot: Snapshot, caller: Caller) -> Form | None:
    """The form of calls whose other fields are these (from `read`); None where their texts need a closer look.

    A list of texts is valid wherever one text is (endpoints.items), so the rest is checked once with any.
    """
    fields: dict[str, Json] = orjson.loads(kind)
    try:
        job = endpoint.validate(orjson.dumps({**fields, "input": ["x"]}), snapshot)
    except GatewayError:
        return None
    presentation = job.presentation if isinstance(job, Job) and _is_plain(job) else None
    if not (isinstance(job, Job) and isinstance(presentation, EmbeddingsPresentation)):
        return None
    served, limits = snapshot.served[job.model], snapshot.config.limits
    scope = narrower(caller.cache_scope, served.cache_scope)
    job = replace(job, units=())
    inquiry = Inquiry(job, caller, scope, snapshot.secret, _NO_DIRECTIVES, snapshot.config.cache.promote_after)
    if not inquiry.storable or scope is CacheScope.SHARED:
        return None
    origins = source(job)
    meters = meters_of(snapshot, caller, endpoint.name, job.model, "")
    return Form(
        snapshot=snapshot,
        caller=caller,
        endpoint=endpoint,
        model=served.model,
        job=job,
        presentation=presentation,
        inquiry=inquiry,
        keys=inquiry.maker(job),
        source_keys=None if origins is None else inquiry.maker(origins),
        opening=opening(job.model),
        price=snapshot.price(caller.tenant, served.model),
        meters=meters if limits.rpm_per_address is None else None,
        tenant=tenant_meter(meters),
        counts_cached=limits.count_cached_tokens,
        account=Account(0, caller.label, caller.key_id, job.model, endpoint.name),
        together=_together(snapshot, served),
    )


def _together(snapshot: Snapshot, served: Served) -> int:
    """Texts of one moment in a call to the backend; where calls wait for their turn, each waits for itself."""
    backends = [snapshot.config.backends[route.backend] for route in served.routes]
    if any(backend.is_shaped or backend.batch is False for backend in backends):
        return 1
    return SMALL if any(backend.batches for backend in backends) else MOST_TOGETHER


def _is_plain(job: Job) -> bool:
    """Whether each text is a unit of its own with one vector, and nothing is asked for beside."""
    return job.units == _ONE_TEXT and job.shape is Shape.DENSE and not (job.whole or job.labels or job.backend)


class Forms:
    """Those in use lately, all of one snapshot, and what is known to be none."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Form | None] = {}
        self._snapshot: Snapshot | None = None

    def has(self, kind: bytes, candidate: Candidate) -> bool:
        """Whether a call of that kind is known, or known to have no form."""
        return candidate.snapshot is self._snapshot and _name(kind, candidate) in self._known

    def get(self, kind: bytes, endpoint: Endpoint, candidate: Candidate) -> Form | None:
        """The form of a call, found or made; None where it has none."""
        if candidate.snapshot is not self._snapshot:
            self._known.clear()
            self._snapshot = candidate.snapshot
        name = _name(kind, candidate)
        try:
            return self._known[name]
        except KeyError:
            form = form_of(kind, endpoint, candidate.snapshot, candidate.caller)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[name] = form
        return form


def _name(kind: bytes, candidate: Candidate) -> Hashable:
    asked = candidate.question
    return kind, asked.path, asked.org, asked.tenant, asked.key_id
