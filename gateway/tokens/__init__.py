"""P: counting, bounding and learning the tokens of texts and images."""
