"""P: what a worker process is told at its start and later on, each as one line of JSON on standard input."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.config.schema import Config

IssuedKey: TypeAlias = tuple[bytes, str, str]
"""A key the gateway issued itself: keyed digest (authenticate.digest), tenant, key id."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One worker's instructions. They hold secrets: never in a command line, an environment or a log.

    `config` is complete: read, checked and overridden once by the supervisor, so that no worker sees another file or
    another environment. `store_url` and `embedded_url` are where the supervisor found or started the store and the
    local model (None: not wanted). `worker` counts from 0. `metrics_dir` is the folder that the workers' metrics are
    merged in, None for a single worker. `first_run` is the run id of a store that was started for this gateway, which
    so has nothing to be told of by workers before.
    """

    config: Config = field(repr=False)
    secret: bytes = field(repr=False)
    issued: tuple[IssuedKey, ...] = field(repr=False)
    store_url: str = field(repr=False)  # may hold a password
    embedded_url: str | None = None
    worker: int = 0
    metrics_dir: str | None = None
    first_run: str = ""

    def to_json(self) -> str:
        """One line; bytes as hex; of the configuration only what was written, since tiers merge by that."""
        return json.dumps(
            {
                "config": self.config.model_dump(mode="json", exclude_unset=True),
                "secret": self.secret.hex(),
                "issued": [(digest.hex(), tenant, key_id) for digest, tenant, key_id in self.issued],
                "store_url": self.store_url,
                "embedded_url": self.embedded_url,
                "worker": self.worker,
                "metrics_dir": self.metrics_dir,
                "first_run": self.first_run,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Launch:
        """The inverse of to_json.

        Raises:
            ValueError, KeyError, TypeError: `text` was not made by to_json.
        """
        fields = json.loads(text)
        fields["config"] = Config.model_validate(fields["config"])
        fields["secret"] = bytes.fromhex(fields["secret"])
        fields["issued"] = tuple((bytes.fromhex(key), tenant, key_id) for key, tenant, key_id in fields["issued"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class News:
    """What came of reading the configuration again: `applied`, `invalid`, `restart_needed`, or empty when told again.

    `config` is the one to take up, None to keep the old one; `stale` is a line that says why the file is not in force.
    """

    outcome: str
    stale: str
    config: Config | None = field(default=None, repr=False)

    def to_json(self) -> str:
        """One line."""
        config = None if self.config is None else self.config.model_dump(mode="json", exclude_unset=True)
        return json.dumps({"outcome": self.outcome, "stale": self.stale, "config": config})

    @classmethod
    def from_json(cls, text: str) -> News:
        """The inverse of to_json.

        Raises:
            ValueError, KeyError, TypeError: `text` was not made by to_json.
        """
        fields = json.loads(text)
        config = None if fields["config"] is None else Config.model_validate(fields["config"])
        return cls(fields["outcome"], fields["stale"], config)
