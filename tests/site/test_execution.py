"""When the book is run again, and when it is not: seen on a book of one page."""

import os
import re
import time

import pytest
from small_book import PAGE, SmallBook

pytestmark = pytest.mark.slow


@pytest.fixture
def book(tmp_path):
    return SmallBook(tmp_path)


def test_nothing_changed_nothing_runs(book):
    first = book.shown()
    start = time.monotonic()
    assert book.shown() == first
    assert time.monotonic() - start < 15


def test_a_change_in_the_package_or_the_pins_runs_the_pages_again(book):
    value, first_run = book.shown()
    assert value == "1"
    book.package.write_text("VALUE = 2\n")
    value, second_run = book.shown()
    assert value == "2"
    (book.root / "requirements.txt").write_text("numpy==2\n")
    assert book.shown()[1] not in (first_run, second_run)


def test_going_back_takes_the_stored_run_and_old_ones_are_removed(book):
    first = book.shown()
    for value in (2, 3):
        book.package.write_text(f"VALUE = {value}\n")
        book.shown()
    book.package.write_text("VALUE = 1\n")
    assert book.shown() == first
    before = book.caches()
    assert len(before) == 3
    book.package.write_text("VALUE = 4\n")
    book.shown()
    assert len(book.caches()) == 3
    assert len(set(before) & set(book.caches())) == 2


def test_pages_run_side_by_side(book):
    (book.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/page\nchapters: [{file: book/other}]\n"
    )
    clock = """\
```{code-cell}
begin = time.time()
time.sleep(4)
print("ran from", begin, "to", time.time())
```
"""
    for name in ("page", "other"):
        (book.root / f"book/{name}.md").write_text(PAGE.replace("# Page", f"# {name}") + clock)
    answer = book.build()
    assert answer.returncode == 0, answer.stderr[-3000:]
    pages = [book.html(), book.html("other")]
    spans = [re.search(r"ran from ([\d.]+) to ([\d.]+)", page).groups() for page in pages]
    (begin, end), (other_begin, other_end) = (map(float, span) for span in spans)
    if os.cpu_count() > 1:
        assert begin < other_end
        assert other_begin < end
    assert book.build().returncode == 0
    assert [book.html(), book.html("other")] == pages, "what is stored ran again"


def test_a_change_of_prose_alone_runs_nothing(book):
    first = book.shown()
    book.page.write_text(PAGE + "\nMore prose.\n")
    assert book.shown() == first
    assert "More prose" in book.html()


def test_a_cell_that_fails_or_complains_fails_the_build(book):
    assert book.build().returncode == 0
    book.page.write_text(PAGE.replace('print("run', '1 / 0; print("run'))
    assert book.build().returncode != 0
    book.page.write_text(PAGE.replace('print("run', 'print("oh", file=sys.stderr); print("run'))
    assert book.build().returncode != 0


def test_a_warning_does_not_fade_with_the_second_build(book):
    book.page.write_text(PAGE + "\n{doc}`nowhere`\n")
    for _ in range(2):
        answer = book.build()
        assert answer.returncode != 0
        assert "nowhere" in answer.stderr
    book.page.write_text(PAGE)
    assert book.build().returncode == 0
