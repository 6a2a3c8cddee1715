"""Bad input is refused by an error that names the argument and shows what came."""

import pytest


def ids(table):
    return [str(n) for n in range(len(table))]


def refused(kind, named, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert caught.type in (ValueError, TypeError)
    for part in named:
        assert part in str(caught.value), str(caught.value)
