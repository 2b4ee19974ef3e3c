"""C: admission of requests against their tenant's limits, and settlement of what they took."""
