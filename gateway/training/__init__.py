"""C: what is done around the jobs of trained classifiers: who may, under which lock, and what is kept."""
