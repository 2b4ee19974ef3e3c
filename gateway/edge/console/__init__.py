"""E: the console: pages for people on the admin listener, made here, with nothing from elsewhere."""
