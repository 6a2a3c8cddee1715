"""Tools that `pde` and `nets` share: checks of arguments, command lines, old import names.

Nothing here knows of levels or cycles; the loop is in `mgcore` itself.
"""
