"""C: answers to calls that came before, without the pipeline."""
