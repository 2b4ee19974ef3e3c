"""C: getting missing answers from backends."""
