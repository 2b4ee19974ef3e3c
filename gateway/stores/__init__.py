"""E: where state lives outside the process."""
