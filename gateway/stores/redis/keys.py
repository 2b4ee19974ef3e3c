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

    def quota(self, subject: str) -> tuple[str, str, str, str]:
        """Requests ring, tokens ring, holds, when holders run out: in the order in which scripts take them."""
        tag = f"{self.prefix}:{{{subject}}}"
        return (f"{tag}:requests", f"{tag}:tokens", f"{tag}:holds", f"{tag}:expiries")

    @property
    def workers(self) -> tuple[str, str]:
        """All workers, by when they were last heard of; the last long absence of the store."""
        return (f"{self.prefix}:{{workers}}:live", f"{self.prefix}:{{workers}}:absence")

    @property
    def calls_back(self) -> str:
        """The channel on which subjects are named whose idle amounts are wanted."""
        return f"{self.prefix}:calls-back"

    def pause(self, name: str) -> str:
        """Until when an upstream key rests."""
        return f"{self.prefix}:p:{name}"

    def hits(self, counter: str) -> str:
        """The window of one counter of failures."""
        return f"{self.prefix}:h:{counter}"

    def answer(self, address: bytes) -> bytes:
        """A cache entry, or who is computing it now: the raw address, half as long as its hex form."""
        return self.prefix.encode() + b":c:" + address

    @property
    def sources(self) -> str:
        """Whether cache entries are about from which others follow."""
        return f"{self.prefix}:n"

    def votes(self, subject: bytes) -> bytes:
        """Which orgs have computed an answer, named by its proof: addresses can be made to collide."""
        return self.prefix.encode() + b":v:" + subject

    def canary(self, revision: str) -> tuple[str, str]:
        """The vector that a model revision is known by, and which backends are odd. No command takes both."""
        return (f"{self.prefix}:y:{revision}", f"{self.prefix}:y-odd:{revision}")

    def canary_claim(self, revision: str, hour: int) -> str:
        """Who looks after a revision in an hour."""
        return f"{self.prefix}:y-claim:{hour}:{revision}"

    @property
    def sketch(self) -> str:
        """A sampled trace of what the cache was asked."""
        return f"{self.prefix}:w"

    def usage(self, tenant: str) -> tuple[str, str, str]:
        """Who added which batches to a tenant's ledger, the hours it has, and the sums of all time."""
        tag = f"{self.prefix}:{{{tenant}}}"
        return (f"{tag}:usage-writers", f"{tag}:usage-hours", f"{tag}:usage-total")

    def usage_hour(self, tenant: str, hour: int) -> str:
        """One hour of a tenant's ledger."""
        return f"{self.prefix}:{{{tenant}}}:usage:{hour}"

    def topped_up(self, tenant: str) -> str:
        """What was added to a tenant's balance."""
        return f"{self.prefix}:{{{tenant}}}:topped-up"

    def live(self, slot: int) -> str:
        """What all workers did in some seconds."""
        return f"{self.prefix}:l:{slot}"

    @property
    def live_reports(self) -> str:
        """Each worker's last word on how it is."""
        return f"{self.prefix}:l-reports"

    @property
    def usage_tenants(self) -> str:
        """Every tenant that has a ledger."""
        return f"{self.prefix}:usage-tenants"

    @property
    def notices(self) -> tuple[str, str, str, str, str]:
        """Due times, records and tries of undelivered notices, claims, dead notices: in the order scripts take them."""
        tag = f"{self.prefix}:{{notices}}"
        return (f"{tag}:due", f"{tag}:records", f"{tag}:tries", f"{tag}:claims", f"{tag}:dead")

    @property
    def job_notices(self) -> tuple[str, str, str, str, str]:
        """The same for what clients are told about their jobs: apart, so that theirs hold up none to the operator."""
        tag = f"{self.prefix}:{{job-notices}}"
        return (f"{tag}:due", f"{tag}:records", f"{tag}:tries", f"{tag}:claims", f"{tag}:dead")

    @property
    def jobs(self) -> tuple[str, str]:
        """When each job is looked at next, and all jobs by age."""
        return (f"{self.prefix}:{{jobs}}:turns", f"{self.prefix}:{{jobs}}:all")

    def job(self, name: str) -> tuple[str, str]:
        """A job's record, and until when its chunks are held."""
        return (f"{self.prefix}:{{jobs}}:record:{name}", f"{self.prefix}:{{jobs}}:held:{name}")

    def jobs_of(self, tenant: str) -> tuple[str, str]:
        """A tenant's jobs that have not ended, and all of its by age."""
        return (f"{self.prefix}:{{jobs}}:open:{tenant}", f"{self.prefix}:{{jobs}}:of:{tenant}")

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

    def classifiers(self, tenant: str) -> str:
        """The ids of a tenant's trained classifiers."""
        return f"{self.prefix}:{{{tenant}}}:classifiers"

    def classifier(self, tenant: str, identifier: str) -> str:
        """A trained classifier: what is known of it, and its weights."""
        return f"{self.prefix}:{{{tenant}}}:classifier:{identifier}"

    def classifier_lock(self, tenant: str, identifier: str) -> str:
        """Who is changing a trained classifier now."""
        return f"{self.prefix}:{{{tenant}}}:classifier-lock:{identifier}"

    def classifier_owner(self, identifier: str) -> str:
        """Whose a trained classifier is."""
        return f"{self.prefix}:k:{identifier}"
