"""P: what keeps the gateway from starting, as a sentence for people."""

from __future__ import annotations


class StartError(Exception):
    """The gateway can't start; the message names the cause and the remedy."""
