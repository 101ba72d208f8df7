"""Pages in WebKitGTK: whether they complain, cut something off, and move.

`make test-webkit` names this file; by its own name pytest does not take it for one of tests, so
that `make test` needs two browsers and not three.
"""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from any_browser import BROKEN, faults_in, sees_what_is_wrong
from book_site import PAGES, VISITED
from browser import find_webkit
from site_report import chosen
from webkit import Tab, Watched, webkit


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Start WebKitGTK; without one the tests fail, they do not skip."""
    driver = find_webkit()
    if driver is None:
        pytest.fail("no WebKitGTK found; `python scripts/browser.py webkit` installs one")
    with webkit(driver, tmp_path_factory.mktemp("webkit")) as first:
        yield first


def watched(folder: Path) -> Iterator[str]:
    """Serve a folder; gives its address."""
    handler = partial(Watched, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    yield from watched(site)


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[str]:
    """Address of a page that has every fault."""
    (tmp_path / "page.html").write_text(BROKEN, encoding="utf-8")
    yield from (f"{address}/page.html" for address in watched(tmp_path))


def test_webkit_finds_what_is_wrong(tab: Tab, broken: str) -> None:
    sees_what_is_wrong(tab, broken)


def asked() -> list[str]:
    """Return the pages that ``PAGES`` names, or all that a browser visits."""
    try:
        return chosen(PAGES) or VISITED
    except SystemExit as stopped:
        pytest.exit(str(stopped), returncode=2)


@pytest.mark.parametrize("name", asked())
def test_what_a_visit_in_webkit_shows(name: str, address: str, tab: Tab) -> None:
    assert faults_in(tab, name, f"{address}/{name}.html") == {}
