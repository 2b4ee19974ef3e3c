"""P: the name of every key in the store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix, so that a store can be shared.

    A subject's quota keys carry it as hash tag: they live in one Redis Cluster slot, as one script needs. Cache
    entries have no tag and spread by their address.
    """

    prefix: str

    def quota(self, subject: str) -> tuple[str, str, str, str, str]:
        """Leases, records, record times, requests ring, tokens ring: in the order in which scripts take them."""
        tag = f"{self.prefix}:{{{subject}}}"
        return (f"{tag}:leases", f"{tag}:records", f"{tag}:times", f"{tag}:requests", f"{tag}:tokens")

    def hits(self, counter: str) -> str:
        """The window of one counter of failures."""
        return f"{self.prefix}:h:{counter}"

    def answer(self, address: bytes) -> bytes:
        """A cache entry: the raw address, half as long as its hex form."""
        return self.prefix.encode() + b":c:" + address

    def claim(self, address: bytes) -> bytes:
        """Who is computing an answer now."""
        return self.prefix.encode() + b":f:" + address

    def votes(self, subject: bytes) -> bytes:
        """Which orgs have computed an answer, named by its proof: addresses can be made to collide."""
        return self.prefix.encode() + b":v:" + subject

    @property
    def sketch(self) -> str:
        """A sampled trace of what the cache was asked."""
        return f"{self.prefix}:w"

    @property
    def secret(self) -> str:
        """The secret that all gateways on this store share."""
        return f"{self.prefix}:secret"

    @property
    def issued(self) -> str:
        """Digests of the API keys that gateways issued."""
        return f"{self.prefix}:issued"

    @property
    def accounts(self) -> tuple[str, str, str, str]:
        """Version, tenants, keys and audit log of what was made at run time, in the order the script takes them."""
        tag = f"{self.prefix}:{{accounts}}"
        return (f"{tag}:version", f"{tag}:tenants", f"{tag}:keys", f"{tag}:audit")
