"""C: the second path: calls that pass through, their answers as they come."""

from gateway.relay.delivery import Client, Whole
from gateway.relay.relay import Relay

__all__ = ["Client", "Relay", "Whole"]
