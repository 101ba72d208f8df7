"""What is asked of the book's pages in a browser that Playwright does not drive.

What the drawings of a figure's steps are is the page's own, and Chromium is asked for it; here a
page is looked at as it stands, on a desktop and on a phone, and its controls are moved by a key.
"""

from typing import Any, Protocol

from book_site import DESKTOP, PHONE
from sliders import CONTROL, CONTROLS, KEEP, KINDS, LOOK
from visible import CHANGED, clipped, faults_of_figures, faults_of_formulas, sticking_out
from visits import STANDS


class Tab(Protocol):
    """One page; it answers `evaluate` as Playwright's page does."""

    @property
    def errors(self) -> list[str]:
        """What the page complained about since it was opened."""

    def open(self, url: str, *, width: int, height: int) -> None:
        """Open an address in a window of a size, and wait until formulas and fonts stand."""

    def resize(self, width: int, height: int) -> None: ...

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Return what an expression, or a function of the argument, gives in the page."""

    def press(self, key: str) -> None:
        """Press and release a key: its code in WebDriver, as ``ARROW_RIGHT``."""


ARROW_LEFT, ARROW_RIGHT = "\ue012", "\ue014"  # as WebDriver calls the keys

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

HARMLESS = (
    # Firefox says so of a formula of which it has read a part when it first draws the page, too.
    "Invalid markup: Incorrect number of children",
    # WebKit says so where a formula's line has grown with it: the script looks again a frame later.
    "ResizeObserver loop completed with undelivered notifications.",
)

MALFORMED = """[...document.querySelectorAll("msub, msup, mfrac, mover, munder, msubsup")]
    .filter(e => e.childElementCount !== (e.localName === "msubsup" ? 3 : 2))
    .map(e => e.outerHTML.slice(0, 80))"""


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


def faults_in(tab: Tab, name: str, url: str) -> dict[str, list[str]]:
    """What is wrong with a page of the book, on a desktop and on a phone."""
    tab.open(url, **DESKTOP["viewport"])
    faults = {
        "formulas": faults_of_formulas(tab, name),
        "figures": faults_of_figures(tab, name),
        "cut off": clipped(tab),
        "keyboard": no_key_moves(tab),
    }
    tab.resize(**PHONE["viewport"])
    tab.evaluate(STANDS)  # what follows its size has followed
    faults["too wide for a phone"] = sticking_out(tab)
    faults["cut off on a phone"] = clipped(tab)
    faults["complaints"] = [error for error in tab.errors if not error.startswith(HARMLESS)]
    faults["MathML"] = tab.evaluate(MALFORMED)
    return {what: found for what, found in faults.items() if found}


# A page that throws, hides the end of a line and has controls that nothing moves.
BROKEN = """<main style="margin: 0"><p style="width: 90px; overflow: hidden; white-space: nowrap">
A line that is longer than its box.</p><div style="width: 500px">wide</div>
<div class="ib-figure"><div class="ib-picture"></div>
<div class="ib-control"><input type="range" min="0" max="2" value="1"
onkeydown="return false"><output></output></div>
<div class="ib-control" onkeydown="return false"><label>one
<input type="radio" name="a" checked></label>
<label><input type="radio" name="a">two</label></div></div>
<svg><g class="ib-handle" tabindex="0" aria-valuetext="at 1"><circle r="5"/></g></svg>
<math><msup><mi>x</mi></msup></math></main>
<script>setTimeout(() => { throw new Error("thrown") })</script>"""
FAULTS_OF_BROKEN = {"cut off", "keyboard", "MathML", "too wide for a phone", "complaints"}


def sees_what_is_wrong(tab: Tab, address: str) -> None:
    """Ask the page ``BROKEN`` at its address, and stop where a fault of it is not found."""
    faults = faults_in(tab, "book/references", address)
    assert faults.keys() >= FAULTS_OF_BROKEN
    assert "thrown" in faults["complaints"][0]
    stuck = [fault.partition(":")[0] for fault in faults["keyboard"]]
    assert stuck == ["control 0", "control 1", "point 0"]
