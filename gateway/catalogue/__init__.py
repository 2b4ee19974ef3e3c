"""P: what each model is."""
