"""P: settings: schema, parser with file and line, snapshot."""
