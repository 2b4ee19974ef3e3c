"""P: who pays for what."""
