"""P: what the bundled model is and how much of it one call may ask."""

from __future__ import annotations

MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
"""Tokens a text, special tokens included: what the model was trained to read."""

MAX_BATCH_TEXTS = 32
MAX_WAITING = 256
"""Requests accepted and not answered yet; one more is refused with 429."""

MAX_BODY = 33_554_432
"""Bytes: as much as the gateway itself accepts by default."""

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
