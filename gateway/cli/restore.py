"""E: `gateway restore`; see backup.py."""

from __future__ import annotations

from gateway.cli.backup import restore

__all__ = ["restore"]
