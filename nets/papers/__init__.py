"""Figures that the papers publish: accuracies and parameter counts.

Our own results are in `benchmarks/results`.
"""
