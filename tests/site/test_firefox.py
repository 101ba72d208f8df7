"""Every page in Firefox: whether it complains, cuts something off, and moves."""

from collections.abc import Iterator
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
