"""The commands of `python -m nets`: `add_NAME(commands)` gives one its options and its function."""
