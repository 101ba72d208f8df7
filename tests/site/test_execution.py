"""When the book is run again, and when it is not: seen on a book of one page."""

import os
import re
import time

import pytest
from book_runs import keep, kept
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
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
    book.package.write_text('"""Only said."""\n\nVALUE = 1  # no change\n')
    assert book.shown() == (value, first_run)
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


def test_one_page_can_be_run_alone(book):
    (book.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/page\nchapters: [{file: book/folder/other}]\n"
    )
    other = book.root / "book/folder/other.md"
    other.parent.mkdir()
    other.write_text(PAGE.replace("../src", "../../src"))
    for only, left in (("folder/other", "page"), ("page", "folder/other")):
        answer = book.build(IBTOOLS_ONLY_PAGE=f"book/{only}")
        assert answer.returncode == 0, answer.stderr[-3000:]
        assert "run at 1" in book.html(only)
        if only == "folder/other":  # afterwards the other's run is stored
            assert "run at 1" not in book.html(left)


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


def test_what_the_tests_have_run_is_shown_and_not_run_again(book):
    """A page in a folder of its own, as lectures are."""
    (book.root / "_toc.yml").write_text("format: jb-book\nroot: book/part/page\n")
    page = book.root / "book/part/page.md"
    page.parent.mkdir()
    cell = "\n```{code-cell}\nfrom IPython.display import HTML\nHTML(f'in {os.getcwd()}')\n```\n"
    page.write_text(PAGE.replace('"../src"', '"../../src"') + cell)
    answer, kept = book.run_notebooks("part/page")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert kept == {"part/page"}
    run = (book.root / "_build/.runs/book/part/page.ipynb").read_text()
    ran_at = "run at " + re.search(r"run at (\d+)", run)[1]
    assert book.build().returncode == 0
    html = book.html("part/page")
    assert ran_at in html
    assert "value 1 static 1" in html, "the kernel of the tests is not the book's"
    assert f"in {page.parent}" in html
    book.package.write_text("VALUE = 2\n")
    assert book.build().returncode == 0
    assert "value 2" in book.html("part/page")


FIGURE = """\
class HTML:
    def __init__(self, value):
        self.value = value
class Exploration:
    def __init__(self, live):
        self.live = live
    def _repr_mimebundle_(self):
        return {"text/html": "<b>static</b>"}
    def widget(self):
        class Box:
            children = (HTML("a slider"), HTML(self.live))
        return Box()
    def __len__(self):
        return 401 if "many" in str(self.live) else 400
    @property
    def grids(self):
        class Grid:
            values = (1.0, 0.0)
        return {"of": Grid}
    def block(self, of):
        return 1 / of
"""
LIVE_FIGURE = """\
class LiveFigure:
    def __init__(self, in_notebook):
        self.in_notebook = in_notebook
    def _repr_mimebundle_(self):
        return {"text/html": "<b>computed</b>"}
"""
CELLS = {
    "fails": "1 / 0",
    "leans": "textwrap.dedent('what the first cell imported')",
    "alert": """Exploration('<pre role="alert">no</pre><svg>')""",
    "raises": "Exploration(None)",
    "undrawn": "Exploration('nothing')",
    "changed": "h = display(1, display_id=True); h.update(2)",
    "drawn": "Exploration('<svg>')",
    "other": "LiveFigure(Exploration('nothing'))",
    "end": "LiveFigure(Exploration('<svg> of many'))",
    "live": "LiveFigure(Exploration('<svg>'))",
}
SOLUTIONS = {
    "wrong": "assert VALUE == 2",
    "warns": "import warnings; warnings.warn('oh')",
    "right": "def value():\n    return VALUE + x\n\n\nx = 1\nassert value() == 2",
}


def test_runs_are_kept_of_notebooks_that_pass_and_whose_figures_draw_with_a_live_kernel(book):
    (book.root / "src/ibtools/show").mkdir()
    (book.root / "src/ibtools/show/explore.py").write_text(FIGURE)
    (book.root / "src/ibtools/show/in_page.py").write_text(LIVE_FIGURE)
    for name, cell in CELLS.items():
        cells = (
            "from ibtools.show.explore import Exploration\n"
            "from ibtools.show.in_page import LiveFigure\n"
            f"{cell}\n```\n\n```{{code-cell}}\n2\n"
        )
        (book.root / f"book/{name}.md").write_text(PAGE.replace("```\n", cells + "```\n"))
    answer, kept = book.run_notebooks(*CELLS)
    failed = set(re.findall(r"^FAILED book/(\w+)\.ipynb", answer.stdout, re.M))
    assert failed == {"fails", "leans", "alert", "raises", "undrawn", "other", "end"}, answer.stdout
    assert kept == {"drawn", "live"}
    assert "<b>static</b>" in (book.root / "_build/.runs/book/drawn.ipynb").read_text()


def test_solutions_run_after_the_last_cell_of_their_page(book):
    for name, code in SOLUTIONS.items():
        solution = f"\n:::{{solution}} ex-{name}\n```python\n{code}\n```\n:::\n"
        (book.root / f"book/{name}.md").write_text(PAGE + solution)
    answer, kept = book.run_notebooks(*SOLUTIONS)
    failed = set(re.findall(r"^FAILED book/\w+\.ipynb::(.*?)(?: - .*)?$", answer.stdout, re.M))
    assert failed == {"solution of ex-wrong", "solution of ex-warns"}, answer.stdout
    assert "assert VALUE == 2" in answer.stdout or "line 1" in answer.stdout
    assert kept == set(SOLUTIONS), "a run is one of the cells"


def test_a_run_is_taken_by_the_page_that_has_its_cells_and_nothing_else(tmp_path):
    def notebook(*sources):
        cells = [new_code_cell(source) for source in sources]
        return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})

    path = tmp_path / "page.ipynb"
    assert kept(path, notebook("1"), digest="a") is None
    said = {"output_type": "stream", "name": "stdout", "text": "said"}
    value = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {}}
    keep(path, notebook("pass", "print('said')", "3"), [[], [said], [value]], digest="a", seconds=2)
    page = notebook("print('said')", "3\n")
    page.cells.insert(1, new_markdown_cell("Text."))
    page.cells[2].metadata["tags"] = ["hide-input"]
    shown, seconds = kept(path, page, digest="a")
    assert seconds == 2
    assert [cell.get("outputs") for cell in shown.cells] == [
        [said],
        None,
        [value | {"execution_count": 2}],
    ]
    assert shown.cells[2].metadata["tags"] == ["hide-input"]
    assert kept(path, page, digest="b") is None
    for other in ("3",), ("print('said')", "4"), ("0", "0", "print('said')", "3"):
        assert kept(path, notebook(*other), digest="a") is None
    path.write_text(path.read_text()[:-40])
    assert kept(path, page, digest="a") is None
    keep(path, notebook("3"), [[said | {"name": "stderr"}]], digest="a", seconds=2)
    assert kept(path, notebook("3"), digest="a") is None


def test_a_warning_does_not_fade_with_the_second_build(book):
    book.page.write_text(PAGE + "\n{doc}`nowhere`\n")
    for _ in range(2):
        answer = book.build()
        assert answer.returncode != 0
        assert "nowhere" in answer.stderr
    book.page.write_text(PAGE)
    assert book.build().returncode == 0
