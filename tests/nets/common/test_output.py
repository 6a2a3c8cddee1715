"""Folders that are made for results, and what is in the way of them."""

import pytest

from nets.common.paths import make_folder, make_folder_of


def test_folders_are_made(tmp_path):
    assert make_folder("output", tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert make_folder("output", str(tmp_path / "a" / "b")).is_dir()
    assert make_folder_of("plot", tmp_path / "c" / "d" / "e.png") == tmp_path / "c" / "d" / "e.png"
    assert (tmp_path / "c" / "d").is_dir()


@pytest.mark.parametrize(
    ("make", "path", "words"),
    [
        (make_folder, "file", r"plot must be a folder; .*file is a file$"),
        (make_folder, "file/a/b", r"plot must be a folder; .*file is a file$"),
        (make_folder, "x" * 300, r"plot must be a folder; .* cannot be made \(File name too long\)$"),
        (make_folder, "a\0b", r"plot must be a folder; .* cannot be made \(embedded null byte\)$"),
        (make_folder_of, "file/a.png", r"plot must be a file in a folder; .*file is a file$"),
        (make_folder_of, ".", r"plot must be a file in a folder; .* is a folder$"),
    ],
)
def test_what_is_in_the_way_is_named(tmp_path, make, path, words):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=words):
        make("plot", tmp_path / path)
    assert (tmp_path / "file").read_text() == "mine"
