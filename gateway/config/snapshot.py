"""P: the immutable look-ups a request needs, compiled once from a Config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.vocabulary import CacheScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue.model import Model
    from gateway.config.schema import Config
    from gateway.vocabulary import Caller


@dataclass(frozen=True, slots=True)
class Served:
    """A model that this gateway answers for: its catalogue entry and who is asked, under which name.

    `cache_scope` narrows the caller's for this model.
    """

    model: Model
    backend: str
    backend_model: str
    cache_scope: CacheScope = CacheScope.SHARED


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One configuration in force. A request takes it once and sees nothing else.

    `served` is keyed by every name that clients may use (bare, `owner/name`, aliases); `directory` by the keyed
    digest of an API key (see authenticate.digest). With `passthrough` nobody is looked up: it is what every caller is,
    apart from the names, which come from the key (authenticate.pass_through).
    """

    config: Config
    served: Mapping[str, Served]
    directory: Mapping[bytes, Caller]
    secret: bytes
    passthrough: Caller | None = None
