"""Learned cycles beside tuned ones, and networks that learn the solution operator: a queue that can be resumed.

python -m benchmarks.learned [--budget 30m] [--only NAME ...] [--list] [--table] [--output FOLDER]
"""
