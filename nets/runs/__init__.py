"""A training kept on disk: its folder, checkpoints, records and reports.

How a step is made is in `nets.training`.
"""
