"""The command line, `python -m nets`: reading options, printing results.

Every command calls the public names of `nets`.
"""
