"""nbval runs every notebook as a reader would; the book shows what came out, and runs none again.

So the kernels are those of the book, and draw every frame of every figure. After the cells comes
the code in the page's solutions, each block with the names that the last cell leaves. Last,
an item of each notebook moves on to the other way in which a figure is shown, as widgets with a
live kernel, and keeps the run.
"""

from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from book_execution import digest, prepare_kernels
from book_kernels import launch_kernel
from book_runs import FOLDER, code_cells, keep
from book_solutions import code_of_solutions
from jupyter_client.provisioning import local_provisioner
from nbval.plugin import IPyNbCell, IPyNbFile

# What changes an output that is there; nbval passes over it, so that it would be shown wrongly.
CHANGES = ("update_display_data", "clear_output")

# A figure that ends a cell is kept by nobody; IPython lets us see it on its way. What a function
# here calls by name is its own: the names of the notebook are its figures' alone.
SEE_FIGURES = """
def see_figures(shell):
    shell.figures_shown = []
    def see(shown):
        shell.figures_shown.append(getattr(shown, "in_notebook", shown))
        return shown._repr_mimebundle_()
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("ibtools.show.explore", "Exploration", see)
    formatter.for_type_by_name("ibtools.show.in_page", "LiveFigure", see)
see_figures(get_ipython())
del see_figures
"""
SHOW_LIVE = """
def show_live(shell):
    def html(widget):
        inner = getattr(widget, "children", ())
        return "".join(map(html, inner)) if inner else str(getattr(widget, "value", ""))
    for shown in shell.figures_shown:
        live = html(shown.widget())
        if 'role="alert"' in live or "<svg" not in live:
            raise AssertionError(f"{shown!r} does not draw with a live kernel: {live}")
        if len(shown) > 400:  # of the others each frame is drawn
            for end in (0, -1):
                shown.block(**{name: grid.values[end] for name, grid in shown.grids.items()})
show_live(get_ipython())
del show_live
"""


SOLVE = """
def solve(shell):
    import traceback, warnings
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile({code!r}, {name!r}, "exec"), dict(shell.user_ns))
    except Exception:
        raise AssertionError(traceback.format_exc()) from None
solve(get_ipython())
del solve
"""
LONGEST = 600  # seconds for a block of a solution
FEW = 9  # notebooks for which it does not pay to import the libraries in advance


class Notebook(IPyNbFile):
    """A notebook whose run is kept when all its cells have passed."""

    def collect(self) -> Iterator[pytest.Item]:
        self.passed: list[IPyNbCell] = []
        self.seconds, self.changed = 0.0, False
        yield from super().collect()
        page = self.path.with_suffix(".md").read_text(encoding="utf-8")
        for name, blocks in code_of_solutions(page).items():
            yield Solution.from_parent(self, name=f"solution of {name}", blocks=blocks)
        yield Whole.from_parent(self, name="figures live, and the run kept")

    def setup(self) -> None:
        self.digest = digest(self.config.rootpath)
        super().setup()
        self.ask(SEE_FIGURES)
        about = self.kernel.kc.kernel_info(reply=True, timeout=60)["content"]
        self.nb.metadata["language_info"] = about["language_info"]  # MyST-NB asks for its lexer

    def get_kernel_message(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        message = super().get_kernel_message(*arguments, **options)
        self.changed |= message["msg_type"] in CHANGES
        return message

    def ask(self, code: str) -> None:
        """Run code of our own, which leaves no output."""
        reply = self.kernel.kc.execute_interactive(
            code,
            silent=True,
            allow_stdin=False,
            output_hook=lambda message: None,
            timeout=LONGEST,
        )["content"]
        if reply["status"] != "ok":
            pytest.fail(unescape(reply["evalue"]), pytrace=False)


class Solution(pytest.Item):
    """The code in the solution of one exercise."""

    parent: Notebook

    def __init__(self, *, blocks: list[str], **options: Any) -> None:
        super().__init__(**options)
        self.blocks = blocks

    def runtest(self) -> None:
        for code in self.blocks:
            self.parent.ask(SOLVE.format(code=code, name=self.name))


class Whole(pytest.Item):
    """What comes after the last cell of a notebook."""

    parent: Notebook

    def runtest(self) -> None:
        book = self.parent
        if book.kernel is None or not book.kernel.is_alive():
            pytest.fail("the kernel has died", pytrace=False)
        book.ask(SHOW_LIVE)
        if book.changed or [cell.cell for cell in book.passed] != code_cells(book.nb):
            return
        root = book.config.rootpath
        if digest(root) == book.digest:
            path = root / "_build" / FOLDER / book.path.relative_to(root)
            outputs = [cell.test_outputs for cell in book.passed]
            keep(path, book.nb, outputs, digest=book.digest, seconds=book.seconds)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Any, parent: Any) -> Any:
    found = yield
    return [
        Notebook.from_parent(parent, path=file_path) if isinstance(node, IPyNbFile) else node
        for node in found
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    outcome = yield  # an error of the cell goes on from here
    if isinstance(item, IPyNbCell) and isinstance(item.parent, Notebook):
        item.parent.passed.append(item)
        if item.cell_num == 0 and "google.colab" in item.cell.source:
            # Its page does not have this cell, and must not live on what it leaves behind.
            item.parent.ask("get_ipython().reset()")
    return outcome


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> None:
    if isinstance(item, IPyNbCell) and isinstance(item.parent, Notebook):
        item.parent.seconds += call.duration


def pytest_collection_finish(session: pytest.Session) -> None:
    if len({item.path for item in session.items if isinstance(item.parent, Notebook)}) > FEW:
        local_provisioner.launch_kernel = launch_kernel


def pytest_configure(config: pytest.Config) -> None:
    prepare_kernels(config.rootpath / "_build")
