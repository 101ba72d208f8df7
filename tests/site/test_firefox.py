"""Every page in Firefox: whether it complains, cuts something off, and moves."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from any_browser import BROKEN, faults_in, sees_what_is_wrong
from book_site import VISITED, in_turns
from browser import find_firefox
from firefox import Tab, firefox


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Start Firefox; without one the tests fail, they do not skip."""
    path = find_firefox()
    if path is None:
        pytest.fail("no Firefox found; `python scripts/browser.py` installs one")
    with firefox(path, tmp_path_factory.mktemp("firefox")) as first:
        yield first


@pytest.mark.parametrize("name", in_turns(VISITED))
def test_what_a_visit_in_firefox_shows(name: str, address: str, tab: Tab) -> None:
    assert faults_in(tab, name, f"{address}/{name}.html") == {}


def test_firefox_finds_what_is_wrong(tab: Tab, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(BROKEN, encoding="utf-8")
    sees_what_is_wrong(tab, page.as_uri())


ASKS = """async ([silent, nobody]) => {
    const leave = new AbortController();
    setTimeout(() => leave.abort(), 300);
    await fetch(silent, {signal: leave.signal}).catch(() => {});
    await fetch(nobody).catch(() => {});
}"""


def test_firefox_complains_of_what_does_not_answer_and_not_of_what_is_given_up(
    serve: Callable[[Path], str], tmp_path: Path, tab: Tab
) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><title>A page</title>", encoding="utf-8")
    tab.open(f"{serve(tmp_path)}/page.html")
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        given_up, refused = [f"http://127.0.0.1:{s.getsockname()[1]}/" for s in (silent, closed)]
        tab.evaluate(ASKS, [given_up, refused])
    assert given_up in tab.requests
    failed = [error for error in tab.errors if "NS_" in error]
    assert failed == [f"{refused}: NS_ERROR_CONNECTION_REFUSED"]
