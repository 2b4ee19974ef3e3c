"""C: parts of shared limits that a worker holds, spends in its process, gives back, and shares out when alone."""
