"""C: what is known already, and what must be asked."""
