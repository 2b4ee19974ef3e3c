"""P: what our keys at upstreams allow, as meters to look at; pools make the same for their own use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dispatch.upstream_key import name_of
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.snapshot import Snapshot


def allowances(snapshot: Snapshot) -> Iterator[tuple[str, Meter]]:
    """Each key of a backend that has limits: the backend, with the key's place where it has several, and the meter."""
    for backend, settings in snapshot.config.backends.items():
        bounds, keys = settings.limits, settings.credentials
        if bounds is None:
            continue
        limits = Limits(bounds.rpm, bounds.tpm, bounds.concurrency)
        for place, key in enumerate(keys, 1):
            subject = f"u:{name_of(settings.url, key, snapshot.secret)}"
            yield backend if len(keys) == 1 else f"{backend} ({place})", Meter(subject, Scope.UPSTREAM, limits)
