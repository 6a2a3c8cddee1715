"""Many right-hand sides on one small grid: LANES members side by side in each vector, a group of them per thread."""
