"""P: batch jobs: what is asked in one go, worked off in the background, and fetched later."""
