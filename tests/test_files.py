"""A file is whole under its name, or it is not there."""

import os
from pathlib import Path

import pytest

import ibtools
from ibtools._files import made_folder, whole_file, write_whole


@pytest.mark.parametrize("shared", [False, True])
def test_an_interruption_leaves_the_file_as_it_was_and_nothing_beside_it(
    tmp_path: Path, shared: bool
) -> None:
    path = tmp_path / "run.npz"
    write_whole(path, "γ = 1")

    def interrupted() -> None:
        with whole_file(path, shared=shared) as out:
            out.write(b"half")
            out.flush()
            assert path.read_text(encoding="utf-8") == "γ = 1"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text(encoding="utf-8") == "γ = 1"
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_processes_that_write_the_same_file_do_not_write_the_same_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outcome.json"
    with whole_file(path, shared=True) as one:
        one.write(b"one")
        monkeypatch.setattr(os, "getpid", lambda: 1)
        with whole_file(path, shared=True) as other:
            other.write(b"other")
        assert path.read_text() == "other"
    assert path.read_text() == "one"


@pytest.mark.parametrize("below", ["", "tasks", "a/b"])
def test_a_file_where_a_folder_is_needed_is_named_with_a_mend(tmp_path: Path, below: str) -> None:
    (file := tmp_path / "results").write_text("")
    with pytest.raises(NotADirectoryError, match=r"results is a file where a folder is needed; "):
        made_folder(file / below)
    # It is followed to the letter.
    file.rename(tmp_path / "away")
    assert made_folder(file / below).is_dir()


def test_folders_are_made_in_one_way() -> None:
    package = Path(ibtools.__file__).parent
    others = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if ".mkdir(" in path.read_text(encoding="utf-8")
    ]
    # A download says itself, in more words, what can be done where nothing may be written.
    assert sorted(others) == ["_files.py", "data/downloads.py"]
