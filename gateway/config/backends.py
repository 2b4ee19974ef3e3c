"""P: the settings of backends and of the models they serve."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from gateway.catalogue.model import Tokenizer  # noqa: TC001 - pydantic reads it when the class is made
from gateway.config.dialects import DialectName  # noqa: TC001 - as above
from gateway.config.section import Name, Positive, Price, Seconds, Section
from gateway.vocabulary import CacheScope, Modality  # noqa: TC001 - as above

_HOSTED = frozenset({"jina", "openai", "azure", "cohere"})
"""Dialects whose calls cost money unless the config says otherwise."""


ServiceAddress: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+[^?#\s]*$")] | None
"""Where a service listens that is no model."""


class KeyLimits(Section):
    """What a backend allows each key; leave a limit out (or null) for no limit."""

    rpm: Positive | None = Field(None, description="calls a minute")
    tpm: Positive | None = Field(None, description="tokens a minute")
    concurrency: Positive | None = Field(None, description="calls running at once")


class Backend(Section):
    """A server that answers for models."""

    dialect: DialectName = Field(
        description="wire format: jina, tei (text-embeddings-inference), openai (and compatible servers), azure, vllm, "
        "infinity, ollama, cohere or llamacpp; see docs/backends.md"
    )
    url: Annotated[str, StringConstraints(pattern=r"^((https?://|unix:/).+|embedded)$")] = Field(
        description="http(s)://host[:port][/path], unix:/path/to.sock, or embedded: the bundled model (tei only)"
    )
    key: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None, repr=False, description="bearer token (azure: `api-key`) the backend wants, best as ${ENV}"
    )
    keys: tuple[Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")], ...] = Field(
        (), repr=False, description="more bearer tokens; all are used, each within `limits`"
    )
    limits: KeyLimits | None = Field(
        None,
        description="what the backend allows each key, as {rpm, tpm, concurrency}: calls and tokens a minute, calls at "
        "once. Calls wait for it in a fair queue, instead of being refused",
    )
    timeout: Seconds = Field(60.0, description="seconds one call may take")
    concurrency: Positive = Field(32, description="calls running at once from one worker")
    retries: Annotated[int, Field(ge=0, le=10)] = Field(2, description="further tries after a failure worth one")
    max_inputs: Positive | None = Field(
        None,
        description="inputs a call; longer lists are split. By default what such servers are known to take",
    )
    max_documents: Positive | None = Field(
        None, description="documents a rerank call; longer lists are split. By default as for `max_inputs`"
    )

    max_tokens: Positive | None = Field(
        None, description="tokens a call, by our own count; longer lists are split. By default what the dialect says"
    )
    batch: bool | None = Field(
        None,
        description="whether small embeddings calls of one kind that come together are sent as one; by default for "
        "servers of your own, and where `limits` are set, and elsewhere those of one key and one moment",
    )
    batch_window: Annotated[float, Field(ge=0, le=1)] = Field(
        0.001, description="seconds the first of them waits for others while no call of their kind runs"
    )
    billed: bool | None = Field(
        None,
        description="whether calls cost money, so that none is sent twice unless it surely failed; by default only "
        "those of hosted APIs do",
    )
    hedge: bool | None = Field(
        None,
        description="whether a small call that takes very long is sent to a replica, too; by default if not billed",
    )
    idle_timeout: Seconds = Field(30.0, description="seconds between two pieces of a streamed answer; then it is ended")
    reader_url: ServiceAddress = Field(None, description="where /reader leads, as https://r.jina.ai (jina only)")
    search_url: ServiceAddress = Field(None, description="where /search leads, as https://s.jina.ai (jina only)")
    ground_url: ServiceAddress = Field(None, description="where /ground leads, as https://g.jina.ai (jina only)")
    segment_url: ServiceAddress = Field(
        None, description="where /v1/segment leads if `relay_segments`, as https://segment.jina.ai (jina only)"
    )
    relay_segments: bool = Field(
        default=False, description="whether /v1/segment is relayed to `segment_url`; by default segments are made here"
    )
    service_price: Price = Field(
        "0", description="US dollars a token that reader, search, ground and fine-tuning count, for accounting"
    )

    @property
    def is_billed(self) -> bool:
        """Whether a call that may have been done is never done again."""
        return self.dialect in _HOSTED if self.billed is None else self.billed

    @property
    def is_shaped(self) -> bool:
        """Whether calls wait for what the backend allows its keys."""
        return self.limits is not None or (bool(self.keys) and len(self.credentials) > 1)

    @property
    def batches(self) -> bool:
        """Whether small calls travel together."""
        return self.is_shaped or not self.is_billed if self.batch is None else self.batch

    @property
    def hedges(self) -> bool:
        """Whether small calls may be sent twice."""
        return not self.is_billed if self.hedge is None else self.hedge

    @property
    def credentials(self) -> tuple[str | None, ...]:
        """Every distinct key, `key` first; one None where the backend wants none."""
        return tuple(dict.fromkeys(key for key in (self.key, *self.keys) if key)) or (None,)


class Replica(Section):
    """A further backend of a model."""

    backend: Name = Field(description="which backend")
    backend_model: str | None = Field(None, description="the model's name there, by default the first backend's")
    weight: Annotated[float, Field(ge=0.01, le=1_000)] = Field(1.0, description="its share of the work; 1 by default")


class ModelEntry(Section):
    """A model of your own, an alias, or where a catalogue model is served."""

    alias: Name | None = Field(None, description="another name for this model; the answer names the real one")
    backend: Name | None = Field(None, description="which backend serves it")
    backend_model: str | None = Field(None, description="its name at the backend, when different")
    replicas: tuple[Replica, ...] = Field(
        (),
        description="more backends with the very same weights, as `[{backend: b, backend_model: x, weight: 2}]`: work "
        "is shared out by weight (1 for `backend`), and each stands in for the others",
    )
    revision: str | None = Field(None, description="names the vector space; change it when the weights change")
    dimensions: Positive | None = Field(None, description="length of its vectors; needed for an embedding model")
    context_length: Positive | None = Field(None, description="tokens it reads at most")
    embeddings: bool | None = Field(None, description="whether it answers /v1/embeddings")
    rerank: bool | None = Field(None, description="whether it answers /v1/rerank")
    chat: bool | None = Field(None, description="whether it answers /v1/chat/completions")
    matryoshka: bool | None = Field(None, description="whether a shorter prefix of its vectors is meaningful")
    multivector: bool | None = Field(
        None, description="whether it also answers one vector a token, on `return_multivector`"
    )
    sparse: bool | None = Field(None, description="whether it answers sparse vectors, a weight a token, and no others")
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] | None = Field(
        None,
        description="what its embeddings read, as [text, image]: text, image, pdf, video, audio, or content (groups); "
        "by default text",
    )
    tokenizer: Tokenizer | None = Field(
        None,
        description="its vocabulary, if it is cl100k_base, o200k_base, qwen3.5 or all-MiniLM-L6-v2",
    )
    token_ids: Tokenizer | None = Field(
        None,
        description="whose ids clients send that send token ids instead of texts, one of the same; cl100k_base by "
        "default, as OpenAI clients use for models they do not know",
    )
    price: Price | None = Field(None, description="US dollars a token, for accounting")
    cache_scope: CacheScope | None = Field(
        None, description="off, tenant, org or shared; the narrower of this and the tenant's holds"
    )
    serve: Literal["upstream", "local"] | None = Field(
        None,
        description="for Jina models: where classifications are made, by the upstream (the default where the backend "
        "is the Jina API) or here, from embeddings (local)",
    )
    ask_in_full: bool | None = Field(
        None, description="whether full vectors are asked for, to derive smaller ones from; by default true"
    )
