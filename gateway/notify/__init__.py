"""P: tells the operator when a tenant's budget or balance runs low or is used up."""
