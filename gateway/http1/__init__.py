"""P: HTTP/1.1 to backends over pooled connections, for whole answers; what it does not know, aiohttp's client does."""
