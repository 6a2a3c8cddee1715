"""The command line, `python -m pde`: reading options and files, printing results.

No mathematics: every command calls the public names of `pde`.
"""
