"""The papers' claims on classifiers, measured at the scale of a machine: python -m benchmarks.papers --help."""
