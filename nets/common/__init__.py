"""Checks of arguments, paths, text and random numbers.

Nothing here knows of networks.
"""
