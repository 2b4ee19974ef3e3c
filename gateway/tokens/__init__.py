"""P: counting and bounding the tokens of a text."""
