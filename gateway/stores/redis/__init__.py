"""E: the ports on Redis or Valkey, 7.0 or later."""
