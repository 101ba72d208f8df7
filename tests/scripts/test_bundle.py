"""The zip for a class without a network."""

import zipfile

import pytest
from bundle import files, pack


@pytest.fixture
def root(tmp_path):
    for name in (
        "_build/html/index.html",
        "_build/html/_static/a.js",
        "_build/html/.buildinfo",
        "_build/course/student/imd/steps.ipynb",
        "_build/course/instructor/imd/steps.ipynb",
        "src/ibtools/__init__.py",
        "src/ibtools/__pycache__/x.pyc",
        "src/ibtools.egg-info/PKG-INFO",
        *("pyproject.toml", "README.md", "LICENSE", "requirements.txt"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_it_holds_what_students_need_and_nothing_for_instructors(root):
    pack(root, root / "a.zip", "book", "2027-spring")
    with zipfile.ZipFile(root / "a.zip") as archive:
        names = {name.removeprefix("book/") for name in archive.namelist()}
        told = archive.read("book/README.txt").decode()
    assert names == {
        "README.txt",
        "site/index.html",
        "site/_static/a.js",
        "notebooks/imd/steps.ipynb",
        "package/src/ibtools/__init__.py",
        *("package/" + n for n in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt")),
    }
    assert "2027-spring" in told


def test_the_same_content_gives_the_same_zip(root):
    for name in ("a.zip", "b.zip"):
        pack(root, root / name, "book")
        (root / "_build/html/index.html").touch()
    assert (root / "a.zip").read_bytes() == (root / "b.zip").read_bytes()


def test_nothing_is_packed_before_it_is_built(root):
    (root / "_build/html/index.html").unlink()
    with pytest.raises(SystemExit, match="make bundle"):
        list(files(root))
