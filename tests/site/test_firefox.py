"""Every page in Firefox: whether it complains, cuts something off, and moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from book_site import DESKTOP, PHONE, VISITED, in_turns
from browser import find_firefox
from firefox import ARROW_LEFT, ARROW_RIGHT, Tab, firefox
from sliders import CONTROL, CONTROLS, KEEP, KINDS, LOOK
from visible import CHANGED, clipped, faults_of_figures, faults_of_formulas, sticking_out

FOCUS = """index => {
    const row = document.querySelectorAll(CONTROLS)[index], control = CONTROL(row);
    row.querySelector('input[type=range], input:checked').focus();
    return control.at() === control.last;
}""".replace("CONTROLS", repr(CONTROLS)).replace("CONTROL", CONTROL)
OF_ROW = """([index, changed]) => {
    const row = document.querySelectorAll(CONTROLS)[index];
    return (FUNCTION)(row, changed);
}""".replace("CONTROLS", repr(CONTROLS))

HANDLES = ".ib-handle"
HANDLE = """index => {
    const handle = document.querySelectorAll(HANDLES)[index];
    handle.focus();
    const {x, y} = handle.getBoundingClientRect();
    return [handle.getAttribute('aria-valuetext'), `${x} ${y}`];
}""".replace("HANDLES", repr(HANDLES))


MALFORMED = """[...document.querySelectorAll("msub, msup, mfrac, mover, munder, msubsup")]
    .filter(e => e.childElementCount !== (e.localName === "msubsup" ? 3 : 2))
    .map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """Start Firefox; without one the tests fail, they do not skip."""
    path = find_firefox()
    if path is None:
        pytest.fail("no Firefox found; `python scripts/browser.py` installs one")
    with firefox(path, tmp_path_factory.mktemp("firefox")) as first:
        yield first


def no_key_moves(tab: Tab) -> list[str]:
    """Kinds of controls, and points to drag, that an arrow key does not move."""
    faults = []
    for index in tab.evaluate(KINDS, "body"):
        last = tab.evaluate(FOCUS, index)
        shown, _ = tab.evaluate(OF_ROW.replace("FUNCTION", KEEP), [index, None])
        tab.press(ARROW_LEFT if last else ARROW_RIGHT)
        drawn, now, *_ = tab.evaluate(OF_ROW.replace("FUNCTION", LOOK), [index, CHANGED])
        if now == shown or not drawn:
            faults.append(f"control {index}: no key moves it")
    for index in range(tab.evaluate(f"document.querySelectorAll({HANDLES!r}).length")):
        said, place = tab.evaluate(HANDLE, index)
        tab.press(ARROW_RIGHT)
        new = tab.evaluate(HANDLE, index)
        if new[0] == said or new[1] == place:
            faults.append(f"point {index}: no key moves it, or it does not say so")
    return faults


def faults_in_firefox(tab: Tab, name: str, url: str) -> dict[str, list[str]]:
    """What is wrong with a page of the book, on a desktop and on a phone.

    What the drawings of a figure's steps are is the page's own, and Chromium is asked for it.
    """
    tab.open(url, **DESKTOP["viewport"])
    faults = {
        "formulas": faults_of_formulas(tab, name),
        "figures": faults_of_figures(tab, name),
        "cut off": clipped(tab),
        "keyboard": no_key_moves(tab),
    }
    tab.resize(**PHONE["viewport"])
    faults["too wide for a phone"] = sticking_out(tab)
    faults["cut off on a phone"] = clipped(tab)
    # Firefox says so of a formula of which it has read a part when it first draws the page, too.
    half_read = "Invalid markup: Incorrect number of children"
    faults["complaints"] = [error for error in tab.errors if not error.startswith(half_read)]
    faults["MathML"] = tab.evaluate(MALFORMED)
    return {what: found for what, found in faults.items() if found}


@pytest.mark.parametrize("name", in_turns(VISITED))
def test_what_a_visit_in_firefox_shows(name: str, address: str, tab: Tab) -> None:
    assert faults_in_firefox(tab, name, f"{address}/{name}.html") == {}


def test_firefox_finds_what_is_wrong(tab: Tab, tmp_path: Path) -> None:
    """A page that throws, hides the end of a line and has controls that nothing moves."""
    page = tmp_path / "page.html"
    page.write_text(
        """<main style="margin: 0"><p style="width: 90px; overflow: hidden; white-space: nowrap">
        A line that is longer than its box.</p><div style="width: 500px">wide</div>
        <div class="ib-figure"><div class="ib-picture"></div>
        <div class="ib-control"><input type="range" min="0" max="2" value="1"
        onkeydown="return false"><output></output></div>
        <div class="ib-control" onkeydown="return false"><label>one
        <input type="radio" name="a" checked></label>
        <label><input type="radio" name="a">two</label></div></div>
        <svg><g class="ib-handle" tabindex="0" aria-valuetext="at 1"><circle r="5"/></g></svg>
        <math><msup><mi>x</mi></msup></math></main>
        <script>setTimeout(() => { throw new Error("thrown") })</script>""",
        encoding="utf-8",
    )
    faults = faults_in_firefox(tab, "book/references", page.as_uri())
    assert faults.keys() >= {
        "cut off",
        "keyboard",
        "MathML",
        "too wide for a phone",
        "complaints",
    }
    assert "thrown" in faults["complaints"][0]
    stuck = [fault.partition(":")[0] for fault in faults["keyboard"]]
    assert stuck == ["control 0", "control 1", "point 0"]
