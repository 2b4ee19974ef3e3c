"""P: what a running gateway takes up, and what it does not."""

from __future__ import annotations

import pytest

from gateway.config.changes import needs_restart
from gateway.config.parse import parse

BEFORE = """
server: {port: 8080}
tiers: {own: {rpm: 1}}
tenants: {a: {tier: own, keys: [key-of-a1]}}
backends: {jina: {dialect: jina, url: http://h, key: k}}
"""


@pytest.mark.parametrize(
    ("old", "new", "fixed"),
    [
        ("", "", []),
        ("rpm: 1", "rpm: 2", []),
        ("key-of-a1", "key-of-a2", []),
        ("keys: [key-of-a1]}}", "keys: [key-of-a1]}, b: {}}", []),
        ("key: k}}", "key: other, timeout: 3}, more: {dialect: tei, url: http://o}}", []),
        ("port: 8080", "port: 8080, timeout: 3, body_limit: 9, validation: lenient", []),
        ("tiers:", "limits: {count_cached_tokens: true}\ncache: {scope: off}\ntiers:", []),
        ("tiers:", "webhooks: [{url: http://h, secret: 0123456789abcdef01234567}]\ntiers:", []),
        ("port: 8080", "port: 8081", ["server.port"]),
        ("port: 8080", "port: 8080, workers: 2, data_dir: d", ["server.data_dir", "server.workers"]),
        ("port: 8080", "port: 8080, authentication: passthrough", ["server.authentication"]),
        ("tiers:", "store: {url: 'redis://h'}\ntiers:", ["store.url"]),
        ("tiers:", "limits: {lease_seconds: 9}\ncache: {ttl: 9}\ntiers:", ["cache.ttl", "limits.lease_seconds"]),
        ("tiers:", "admin: {port: 1, token: 0123456789abcdef}\ntiers:", ["admin.port", "admin.token"]),
        ("http://h", "http://i", ["backends.jina.url"]),
        ("key: k", "key: k, concurrency: 3", ["backends.jina.concurrency"]),
        ("key: k}", "key: k}, own: {dialect: tei, url: embedded}", ["backends"]),
        ("tenants: {a: {tier: own, keys: [key-of-a1]}}", "", ["tenants"]),
        ("tenants: {a:", "tenants: {dev: {}, a:", ["tenants"]),
    ],
)
def test_only_what_was_built_in_at_the_start_needs_a_restart(old: str, new: str, fixed: list[str]) -> None:
    assert old in BEFORE
    before, after = parse(BEFORE, "f", {}), parse(BEFORE.replace(old, new, 1), "f", {})
    assert sorted(needs_restart(before, after)) == fixed
