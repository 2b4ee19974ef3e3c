"""P: tenants and API keys made while gateways run: `changes` decides, `administrator` does and logs."""
