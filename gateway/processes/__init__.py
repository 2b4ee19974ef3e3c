"""E: the process tree: supervisor, workers, embedded store, local model."""
