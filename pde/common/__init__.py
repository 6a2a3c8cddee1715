"""Arrays and tensors by one set of names, checks of arguments, progress bars, memory.

Nothing here knows of grids or problems.
"""
