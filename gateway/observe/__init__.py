"""E: facts become metrics and logs here; nobody else imports a telemetry library."""
