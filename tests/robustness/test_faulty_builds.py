"""A faulty build, or half of one, leaves nothing behind that a later one would trust."""

import os
import random
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
    sick = book.build(SICK="1")
    assert sick.returncode != 0
    assert "Fontconfig: no writable cache" in sick.stderr
    first = book.shown()
    assert book.shown() == first


def test_half_of_a_stored_run_is_no_run(book):
    value, run = book.shown()
    (stored,) = book.root.glob("_build/.jupyter_cache/*/executed/*/base.ipynb")
    for damage in (
        lambda: stored.write_text(stored.read_text()[:-40]),
        lambda: empty_tables(stored.parents[2] / "global.db"),
    ):
        damage()
        book.page.write_text(book.page.read_text() + "\nMore.\n")  # so that it is read again
        again = book.shown()
        assert again[0] == value
        assert again[1] != run
        assert stored.exists()


def empty_tables(path):
    """As after a kill between making the file and making its tables."""
    path.unlink()
    sqlite3.connect(path).close()
    path.touch()


def test_killed_at_any_moment_the_same_command_gets_there(book):
    """``IBTOOLS_KILLS=100`` makes it a hundred times; CI has one."""
    # A second page, so that there is a link that goes wrong where a page is not written again.
    (book.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/page\nchapters: [{file: book/other}]\n"
    )
    (book.root / "book/other.md").write_text(PAGE.replace("# Page", "# Other"))
    begun = time.monotonic()
    assert book.build().returncode == 0
    whole = time.monotonic() - begun
    moments = random.Random(0)
    for i in range(int(os.environ.get("IBTOOLS_KILLS", "1"))):
        book.package.write_text(f"VALUE = {i}\n")
        process = subprocess.Popen(
            [*BUILD, "."],
            cwd=book.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(whole * moments.uniform(0.2, 1.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert book.shown()[0] == str(i)
        assert f"value {i} " in book.html("other")
