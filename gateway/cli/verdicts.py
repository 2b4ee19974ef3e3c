"""P: what `gateway doctor` makes of what it sees: a verdict for each thing, with a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST_STORE = (7, 0)
FEW_FILES, ENOUGH_FILES = 1_024, 8_192
SKEW_NOTED, SKEW_WRONG = 1.0, 5.0
"""Seconds between the store's clock and ours: minutes of limits are cut by the store's, tokens' ends by ours."""
FREE_BYTES = 1 << 30
NEARLY_FULL = 0.9
TOKEN_LENGTH, TOKEN_LETTERS = 24, 10


class Grade(StrEnum):
    """How a thing is; WRONG alone makes the command fail."""

    GOOD = "ok"
    NOTED = "note"
    WRONG = "problem"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one thing is, and what to do about it; `remedy` is empty where it is good."""

    thing: str
    grade: Grade
    said: str
    remedy: str = ""


def store(info: Mapping[str, object], *, clustered: bool) -> Iterator[Verdict]:
    """What INFO of one Redis or Valkey server says; keys as the server writes them."""
    said = str(info.get("redis_version", "0.0"))
    shown = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {said}"
    is_old = tuple(int(part) for part in said.split(".")[:2]) < OLDEST_STORE
    yield _if("store version", is_old, Grade.WRONG, shown, "use Valkey, or Redis 7.0 or later")
    is_cluster = str(info.get("cluster_enabled", 0)) == "1"
    if is_cluster != clustered:
        kind = "a node of a cluster" if is_cluster else "a server of its own"
        yield Verdict("store kind", Grade.WRONG, kind, f"write store.cluster: {str(is_cluster).lower()}")
    yield _durable(info)
    yield from _memory(info)


def _durable(info: Mapping[str, object]) -> Verdict:
    if str(info.get("aof_enabled", 0)) != "1":
        remedy = "set appendonly yes, else a restart forgets limits, usage, tenants and keys"
        return Verdict("store durability", Grade.WRONG, "no append-only file", remedy)
    failing = str(info.get("aof_last_write_status", "ok")) != "ok"
    said = "append-only file cannot be written" if failing else "append-only file"
    return _if("store durability", failing, Grade.WRONG, said, "look at its disk: space, permissions")


def _memory(info: Mapping[str, object]) -> Iterator[Verdict]:
    policy, limit, used = (
        str(info.get("maxmemory_policy", "")),
        _number(info, "maxmemory"),
        _number(info, "used_memory"),
    )
    evicts_all = policy.startswith("allkeys")
    remedy = "set maxmemory-policy volatile-lfu (only the cache is forgotten) or noeviction; this one forgets limits"
    yield _if("store eviction", evicts_all, Grade.WRONG, policy, remedy)
    if not limit:
        yield Verdict("store memory", Grade.NOTED, "no maxmemory", "set maxmemory below what the machine has")
        return
    said = f"{used / limit:.0%} of {limit >> 20:,} MiB"
    is_full = used > NEARLY_FULL * limit and policy == "noeviction"
    yield _if("store memory", is_full, Grade.WRONG, said, "raise maxmemory: at its end nothing can be counted any more")


def clocks(seconds: float) -> Verdict:
    """`seconds` that the store's clock is ahead of this machine's."""
    grade = Grade.WRONG if abs(seconds) > SKEW_WRONG else Grade.NOTED
    said = f"store {abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
    return _if("clocks", abs(seconds) > SKEW_NOTED, grade, said, "keep both machines' clocks by NTP")


def files(soft: int) -> Verdict:
    """`soft` limit of open files of a process."""
    grade = Grade.WRONG if soft < FEW_FILES else Grade.NOTED
    remedy = "raise it: LimitNOFILE=65536 (systemd), ulimits.nofile (compose), ulimit -n 65536"
    return _if("open files", soft < ENOUGH_FILES, grade, f"{soft:,} a process", remedy)


def workers(configured: int, processors: int) -> Verdict:
    """Worker processes, and the processors that they may use."""
    said = f"{configured} on {processors} processor{'s' if processors > 1 else ''}"
    return _if("workers", configured > processors, Grade.NOTED, said, f"set server.workers to {processors} at most")


def admin_token(token: str | None, host: str) -> Verdict:
    """The admin API's token, of which nothing is shown, and where the API listens."""
    if token is None:
        return Verdict("admin token", Grade.GOOD, "no admin API")
    weak = len(token) < TOKEN_LENGTH or len(set(token)) < TOKEN_LETTERS
    if weak:
        return Verdict("admin token", Grade.WRONG, "easily guessed", "make one with: openssl rand -hex 32")
    outside = host not in {"127.0.0.1", "::1", "localhost"}
    said = f"strong; the admin API listens on {host}"
    return _if("admin token", outside, Grade.NOTED, said, "let a firewall or NetworkPolicy say who reaches it")


def disk(free: int) -> Verdict:
    """Bytes free where server.data_dir is."""
    return _if(
        "disk", free < FREE_BYTES, Grade.NOTED, f"{free / (1 << 30):,.1f} GiB free", "make room for server.data_dir"
    )


def _if(thing: str, holds: bool, grade: Grade, said: str, remedy: str) -> Verdict:  # noqa: FBT001 - the condition is what it is named for
    return Verdict(thing, grade, said, remedy) if holds else Verdict(thing, Grade.GOOD, said)


def _number(info: Mapping[str, object], name: str) -> int:
    return int(str(info.get(name, 0)))
