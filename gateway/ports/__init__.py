"""P: what the stages need from outside, written by those who use it; each port has one suite in tests/contract."""

from __future__ import annotations

from gateway.ports.accounts import AccountEdit, AccountStore, AuditEntry
from gateway.ports.answers import AnswerStore, Claims, Sources, Trace, Votes
from gateway.ports.canaries import Canaries
from gateway.ports.classifiers import Change, Classifier, Classifiers
from gateway.ports.files import Files, InputSource
from gateway.ports.ledger import Journal, Ledger, Orphan, Unit
from gateway.ports.limits import (
    NOTHING,
    Amounts,
    Census,
    Grant,
    Outcome,
    Pauses,
    QuotaStore,
    Spend,
    Statement,
)
from gateway.ports.notices import DeadNotice, Notice, Notices, Post
from gateway.ports.outside import Exchange, Observer, RawReply, Transport
from gateway.ports.streaming import Stream, StreamingTransport
from gateway.ports.time import Clock

__all__ = [
    "NOTHING",
    "AccountEdit",
    "AccountStore",
    "Amounts",
    "AnswerStore",
    "AuditEntry",
    "Canaries",
    "Census",
    "Change",
    "Claims",
    "Classifier",
    "Classifiers",
    "Clock",
    "DeadNotice",
    "Exchange",
    "Files",
    "Grant",
    "InputSource",
    "Journal",
    "Ledger",
    "Notice",
    "Notices",
    "Observer",
    "Orphan",
    "Outcome",
    "Pauses",
    "Post",
    "QuotaStore",
    "RawReply",
    "Sources",
    "Spend",
    "Statement",
    "Stream",
    "StreamingTransport",
    "Trace",
    "Transport",
    "Unit",
    "Votes",
]
