"""E: the bundled embedding model behind text-embeddings-inference's wire format."""
