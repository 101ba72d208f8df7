"""The built site, a server for it, and a browser."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe import PLACES, go, serious_faults
from book_site import BUILD, PAGES, ROOT
from browser import FLAGS, find_chromium
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright
from visits import Visit, open_page


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `page_name` on every page of the table of contents."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", PAGES)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder that all workers see."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def site(shared: Path) -> Path:
    """Build the book, warnings as errors, once in a session whatever the number of workers.

    Where ``IBTOOLS_SITE`` says that a site was built a moment ago, and where, it is that one.
    """
    if built := os.environ.get("IBTOOLS_SITE"):
        return Path(built)
    outcome = shared / "book-build"
    with FileLock(shared / "book.lock"):
        if not outcome.exists():
            answer = subprocess.run([*BUILD, str(ROOT)], capture_output=True, text=True)
            outcome.write_text("" if answer.returncode == 0 else answer.stderr[-4000:])
    if failure := outcome.read_text():
        pytest.fail(f"the book does not build:\n{failure}", pytrace=False)
    return ROOT / "_build" / "html"


def bare_site(source: Path) -> Path:
    """Build one page of plain prose, code and mathematics in the theme as it comes."""
    source.mkdir()
    (source / "conf.py").write_text(
        textwrap.dedent("""\
        project = "Bare"
        html_theme = "sphinx_book_theme"
        extensions = ["myst_nb"]
        html_theme_options = {"repository_url": "https://github.com/a/b",
                              "use_repository_button": True, "use_issues_button": True}
        """)
    )
    body = "Prose with `code`, $x$ and a [link](second.md).\n\n```python\nx = 1\n```\n"
    (source / "index.md").write_text(f"# Bare\n\n{body}\n```{{toctree}}\nsecond\n```\n")
    (source / "second.md").write_text(f"# Second\n\n{body}\n## Section\n\n{body}")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", str(source), str(source / "html")]
    subprocess.run(command, check=True)
    return source / "html"


@pytest.fixture(scope="session")
def theme_faults(
    browser: Browser, serve: Callable[[Path], str], shared: Path
) -> dict[str, set[tuple[str, str]]]:
    """What axe-core finds in the theme as it comes: in the light, in the dark, on a phone."""
    outcome = shared / "theme-faults.json"
    with FileLock(shared / "theme.lock"):
        if not outcome.exists():
            faults = _theme_faults(browser, serve(bare_site(shared / "bare")))
            outcome.write_text(json.dumps({place: list(found) for place, found in faults.items()}))
    return {place: {*map(tuple, found)} for place, found in json.loads(outcome.read_text()).items()}


def _theme_faults(browser: Browser, address: str) -> dict[str, set[tuple[str, str]]]:
    faults: dict[str, set[tuple[str, str]]] = {place: set() for place in PLACES}
    page = browser.new_page(reduced_motion="reduce")
    for name in ("index", "second", "genindex", "search"):
        page.goto(f"{address}/{name}.html", wait_until="load")
        for place in PLACES:
            go(page, place)
            faults[place] |= set(serious_faults(page, "everything"))
    page.close()
    return faults


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve folders on localhost; gives the address of each."""
    servers: dict[Path, ThreadingHTTPServer] = {}

    def start(folder: Path) -> str:
        if folder not in servers:
            handler = partial(QuietHandler, directory=str(folder))
            servers[folder] = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=servers[folder].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[folder].server_port}"

    yield start
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address(site: Path, serve: Callable[[Path], str]) -> str:
    """Address of the book's site."""
    return serve(site)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium; without one the tests fail, they do not skip."""
    path = find_chromium()
    if path is None:
        pytest.fail("no Chromium found; `python scripts/browser.py` installs one")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open an address in a fresh browser context (`visits.open_page`).

    When the test is over the page must have no error, whatever the test did with it, no request to
    another server, and, unless it ``goes_on`` loading, none after it stood.
    """
    visits: list[Visit] = []

    def open_here(url: str, **options: object) -> Visit:
        visits.append(open_page(browser, url, **options))
        return visits[-1]

    yield open_here
    faults = [fault for visit in visits for fault in visit.faults()]
    for visit in visits:
        visit.page.context.close()
    assert faults == []
