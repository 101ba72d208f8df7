"""A faulty build, or half of one, leaves nothing behind that a later one would trust."""

import os
import signal
import sqlite3
import subprocess
import time

import pytest
from book_site import BUILD
from small_book import PAGE, SmallBook

pytestmark = pytest.mark.slow

# What a library says at its first start, or where it cannot write: once, and not of the page.
COMPLAINING = PAGE.replace(
    'print("run at"',
    'os.environ.get("SICK") and print("Fontconfig: no writable cache", file=sys.stderr)\n'
    'print("run at"',
)


@pytest.fixture
def book(tmp_path):
    return SmallBook(tmp_path)


def test_what_a_page_printed_to_stderr_is_shown_and_lasts_no_longer_than_its_cause(book):
    book.page.write_text(COMPLAINING)
    for _ in range(2):
        sick = book.build(SICK="1")
        assert sick.returncode != 0
        assert "Fontconfig: no writable cache" in sick.stderr
    assert book.build().returncode == 0
    first = book.shown()
    assert book.shown() == first


def test_half_of_a_stored_run_is_no_run(book):
    value, run = book.shown()
    (stored,) = book.root.glob("_build/.jupyter_cache/*/executed/*/base.ipynb")
    for damage in (
        lambda: stored.write_text(stored.read_text()[:-40]),
        stored.unlink,
        lambda: empty_tables(stored.parents[2] / "global.db"),
    ):
        damage()
        book.page.write_text(book.page.read_text() + "\nMore.\n")  # so that it is read again
        assert book.shown() == (value, run) or book.shown()[0] == value
        assert stored.exists()


def empty_tables(path):
    """As after a kill between making the file and making its tables."""
    path.unlink()
    sqlite3.connect(path).close()
    path.touch()


def test_a_build_killed_at_any_moment_is_made_good_by_the_next(book):
    # A second page, so that there is a link that goes wrong where a page is not written again.
    (book.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/page\nchapters: [{file: book/other}]\n"
    )
    (book.root / "book/other.md").write_text(PAGE.replace("# Page", "# Other"))
    begun = time.monotonic()
    assert book.build().returncode == 0
    whole = time.monotonic() - begun
    for share in (0.4, 0.6, 0.8, 0.9):
        book.package.write_text(f"VALUE = {share}\n")
        process = subprocess.Popen(
            [*BUILD, "."],
            cwd=book.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(share * whole)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert book.shown()[0] == str(share)
        assert f"value {share} " in book.html("other")
