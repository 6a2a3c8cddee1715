"""The commands of `python -m pde`."""
