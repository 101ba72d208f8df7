"""What can be measured of a page in a browser: how its formulas sit, its weight, its speed.

The tests of the site and ``make site-report`` ask the same functions.
"""

import gzip
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as TookTooLong

SLOWER = 4
"""How many times slower than this machine the one is on which a page must answer."""


def clipped_formulas(page: Page) -> list[str]:
    """Formulas in lines of which a part cannot be seen, nor be scrolled to."""
    return page.evaluate(
        """() => [...document.querySelectorAll('main span.math')].filter(e => {
            const set = e.querySelector('mjx-math');
            if (!set || !e.checkVisibility()) return false;
            const box = set.getBoundingClientRect();
            if (!box.width) return false;
            let left = 0, right = innerWidth;
            for (let a = set.parentElement; a && a !== document.body; a = a.parentElement) {
                const overflow = getComputedStyle(a).overflowX;
                if (['auto', 'scroll'].includes(overflow)) return false;
                if (overflow === 'visible') continue;
                const room = a.getBoundingClientRect();
                left = Math.max(left, room.left);
                right = Math.min(right, room.right);
            }
            return box.left < left - 1 || box.right > right + 1;
        }).map(e => e.querySelector('math').textContent)"""
    )


def stops_at_line_starts(page: Page) -> list[str]:
    """Commas, full stops and closing brackets that start a line, away from their formula."""
    return page.evaluate(
        """() => {
            const found = [], range = document.createRange();
            for (const formula of document.querySelectorAll('main span.math')) {
                if (!formula.checkVisibility()) continue;
                const block = formula.closest('p, li, dd, dt, td, h1, h2, h3, h4, div, summary');
                const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
                texts.currentNode = formula;
                let text = texts.nextNode();
                while (text && formula.contains(text)) text = texts.nextNode();
                while (text && !text.data) text = texts.nextNode();
                if (!text || !/^[,.;:!?)\\]]/.test(text.data)) continue;
                range.setStart(text, 0);
                range.setEnd(text, 1);
                const stop = range.getBoundingClientRect();
                const end = formula.getBoundingClientRect();
                if (stop.width && stop.left < end.right - 3 && stop.top > end.top)
                    found.push(block.textContent.slice(0, 80));
            }
            return found;
        }"""
    )


def cut_display_formulas(page: Page) -> list[str]:
    """Formulas on lines of their own that are wider than their column."""
    return page.evaluate(
        """() => [...document.querySelectorAll('main div.math mjx-container')]
            .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
            .map(e => `${e.scrollWidth - e.clientWidth} px: ${e.textContent.slice(0, 60)}`)"""
    )


def silent_cuts(page: Page) -> list[str]:
    """Formulas that scroll, but do not show that they go on, or not by keyboard."""
    return page.evaluate(
        """() => [...document.querySelectorAll('main :is(div.math mjx-container, .math.wide)')]
            .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
            .filter(e => e.tabIndex !== 0 || getComputedStyle(e).maskImage === 'none')
            .map(e => e.textContent.slice(0, 60))"""
    )


def type_sizes_in_figures(page: Page) -> list[float]:
    """Heights of the letters in drawings, in pixels of the page, the smallest first."""
    return page.evaluate(
        """() => [...document.querySelectorAll('main .ib-picture svg text')]
            .filter(e => e.checkVisibility() && e.getBoundingClientRect().width > 0)
            .map(e => {
                const to = e.getScreenCTM();  // labels of axes are turned
                return parseFloat(getComputedStyle(e).fontSize) * Math.hypot(to.a, to.b);
            })
            .sort((a, b) => a - b)"""
    )


def tab_stops_before_sliders(page: Page) -> int | None:
    """How often one presses Tab until the first slider of a page; None if it has none.

    As who goes by keyboard does: first to the link that skips to the text, and from there on.
    """
    return page.evaluate(
        """() => {
            const all = 'a[href], button, input, select, textarea, summary, [tabindex]';
            const stops = [...document.querySelectorAll(all)]
                .filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({
                    checkVisibilityCSS: true}) && !e.closest('dialog:not([open])'))
                .filter(e => e.type !== 'radio' || e.checked);  // one of a group
            const skip = stops.findIndex(e => e.matches('.skip-link a'));
            const text = skip < 0 ? null : document.getElementById(stops[skip].hash.slice(1));
            const before = e => text && text.compareDocumentPosition(e) & 2;
            const after = stops.filter((e, k) => k <= skip || !before(e));
            const first = after.findIndex(e => e.matches('main input[type=range]'));
            return first < 0 ? null : first + 1;
        }"""
    )


def weight(site: Path, addresses: list[str], root: str) -> int:
    """Bytes of the site's files at some addresses, each once, compressed as servers do."""
    files = {
        site / unquote(urlsplit(address).path.removeprefix(root))
        for address in addresses
        if not address.startswith("data:")  # part of a file that counts
    }
    return sum(map(compressed, (path for path in files if path.is_file())))


@cache
def compressed(path: Path) -> int:
    return len(gzip.compress(path.read_bytes()))


class Speed(NamedTuple):
    """How a page comes up: in milliseconds of processor time, but for how far its content jumps.

    Other programs make a clock run on, and not the time that the page's thread was at work.
    """

    first_formula: float | None
    longest_task: float
    shift: float


# A formula can be seen when no font that is asked for is missing; others may come later.
WATCH = """
window.watched = {shift: 0};
new PerformanceObserver(list => list.getEntries().forEach(e => {
    if (!e.hadRecentInput) watched.shift += e.value;
})).observe({type: 'layout-shift', buffered: true});
(function look() {
    const set = [...document.querySelectorAll('main mjx-container')].find(e =>
        e.checkVisibility({contentVisibilityAuto: true}) &&  // or it would be laid out to be asked
        e.getBoundingClientRect().bottom > 0 && e.getBoundingClientRect().top < innerHeight);
    if (set && [...document.fonts].every(font => font.status !== 'loading'))
        performance.mark('first formula');
    else requestAnimationFrame(look);
})();
"""
TRACE = {
    "transferMode": "ReportEvents",
    "traceConfig": {"includedCategories": ["toplevel", "blink.user_timing", "loading"]},
}


def speed(browser: Browser, address: str, *, slower: float = SLOWER, wait: float = 1.5) -> Speed:
    """How a page comes up on a machine that is some times slower, until some seconds later."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.add_init_script(WATCH)
    session = browser.new_browser_cdp_session()
    events: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    session.on("Tracing.dataCollected", lambda part: events.extend(part["value"]))
    session.on("Tracing.tracingComplete", lambda end: ended.append(end))
    session.send("Tracing.start", TRACE)
    page.goto(address, wait_until="load")
    page.wait_for_timeout(1000 * wait)
    shift = page.evaluate("watched.shift")
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(20)
    session.detach()
    page.close()
    first, longest = times_of_thread(events)
    return Speed(first and slower * first, slower * longest, shift)


def times_of_thread(events: list[dict[str, Any]]) -> tuple[float | None, float]:
    """Of the thread that painted: its time until the first formula, and its longest task after."""

    def named(name: str) -> list[dict[str, Any]]:
        return [event for event in events if event["name"] == name]

    paint = named("firstContentfulPaint")[-1]
    thread = paint["pid"], paint["tid"]
    tasks = [
        event
        for event in named("ThreadControllerImpl::RunTask")
        if (event["pid"], event["tid"]) == thread and "tdur" in event
    ]
    seen = [mark["ts"] for mark in named("first formula") if mark["pid"] == paint["pid"]]
    first = sum(task["tdur"] for task in tasks if task["ts"] < seen[0]) / 1000 if seen else None
    after = [task["tdur"] / 1000 for task in tasks if task["ts"] + task["dur"] > paint["ts"]]
    return first, max(after, default=0.0)


def search_works(browser: Browser, site: Path, word: str = "margin") -> bool:
    """Whether the search page finds a word when it is opened from the disk."""
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q={word}", wait_until="load")
    try:
        page.wait_for_selector(".search-hits a")
    except TookTooLong:
        return False
    finally:
        page.close()
    return True
