"""python -m nets data."""

import pytest

from nets.__main__ import main
from nets.data import DATA, found_in
from nets.data.published import CIFAR10, PUBLISHED
from tests.nets.data_files import cifar_files, published, small, write


def run(capsys, *arguments):
    code = main(["data", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_list_says_where_each_set_was_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MGNET_DATA", raising=False)
    write(tmp_path / "data" / "cifar-10", cifar_files()[0])
    code, printed, _ = run(capsys)
    assert code == 0
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(DATA)
    assert [line.split()[1] for line in lines if "found:" in line] == ["scikit-learn", "data/cifar-10"]
    assert found_in("mnist") is None
    assert found_in("imagenet") is None
    assert found_in("folder:data") == "data"


def test_a_set_is_read_and_described(tmp_path, monkeypatch, capsys):
    files, _ = cifar_files()
    write(tmp_path, files)
    sums = {name: published(name, content).md5 for name, content in files.items()}
    monkeypatch.setitem(PUBLISHED, "cifar-10", small(CIFAR10, checksums=sums))
    (tmp_path / "bad.txt").write_text("test_batch.bin 0\n")
    code, printed, _ = run(capsys, "cifar-10", "--data-dir", tmp_path, "--exclude", tmp_path / "bad.txt")
    assert code == 0
    assert printed.startswith("cifar-10: 50 images for training, 9 for testing, 3 x 32 x 32\n10 classes: airplane, ")
    assert [line.split()[-1] for line in printed.splitlines()[-6:]] == ["published"] * 6
    assert all(checksum in printed for checksum in sums.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cifar10"], "did you mean 'cifar-10'"),
        (["--download"], "--download needs the name of a data set"),
        (["mnist", "--data-dir", "nowhere"], "data_dir must be a folder"),
        (["digits", "--exclude", "nowhere.txt"], "exclude: there is no file nowhere.txt"),
        (["digits", "--seed", "-1"], "seed must be"),
    ],
)
def test_errors_are_one_line(arguments, words, capsys):
    code, printed, error = run(capsys, *arguments)
    assert (code, printed) == (2, "")
    assert error.count("\n") == 1
    assert words in error
