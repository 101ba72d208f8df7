"""`make site-report`: how fast, how light and how whole the built pages are, as a table.

``PAGES=imd/steps,intro`` looks at those pages alone.
"""

import os
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread

import yaml
from browser import FLAGS, find_chromium
from labels import reading_order
from page_measures import (
    SLOWER,
    clipped_formulas,
    cut_display_formulas,
    search_works,
    silent_cuts,
    speed,
    stops_at_line_starts,
    tab_stops_before_sliders,
    type_sizes_in_figures,
    weight,
)
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
COLUMNS = {
    "formula": "processor time until the first formula on the first screen, ms",
    "task": "processor time of the longest task after the first paint, ms",
    "shift": "cumulative layout shift",
    "clip": "formulas in lines that are cut off at 390 px",
    "comma": "commas and full stops that start a line, at 1280 and 390 px",
    "cut": "formulas on their own lines that are cut at 1280 px",
    "scroll": "formulas that scroll at 390 px",
    "silent": "of these, those that do not show it",
    "kB": "kilobytes fetched, compressed",
    "tabs": "Tab presses until the first slider, one of them to the link that skips to the text",
    "type": "smallest letters in figures at 390 px, px",
}


class Quiet(SimpleHTTPRequestHandler):
    """Serves without saying so."""

    def log_message(self, *arguments: object) -> None:
        pass


def look_at(browser: Browser, address: str, name: str) -> dict[str, float | None]:
    url = f"{address}/{name}.html"
    quick = speed(browser, url)
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url, wait_until="load")
    page.add_style_tag(content="* {content-visibility: visible !important}")  # all of the page
    page.evaluate("document.fonts.ready.then(() => 0)")
    row: dict[str, float | None] = {
        "formula": quick.first_formula,
        "task": quick.longest_task,
        "shift": quick.shift,
        "kB": weight(SITE, asked, "/") / 1000,
        "cut": len(cut_display_formulas(page)),
        "comma": len(stops_at_line_starts(page)),
        "tabs": tab_stops_before_sliders(page),
    }
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    row["clip"] = len(clipped_formulas(page))
    row["comma"] = len(stops_at_line_starts(page)) + (row["comma"] or 0)
    row["scroll"] = len(cut_display_formulas(page))
    row["silent"] = len(silent_cuts(page))
    row["type"] = min(type_sizes_in_figures(page), default=None)
    page.close()
    return row


def cell(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    return (
        f"{value:.3f}"
        if column == "shift"
        else f"{value:.1f}"
        if column == "type"
        else (f"{value:.0f}")
    )


def chosen(known: list[str]) -> list[str]:
    """Return the pages that ``PAGES`` names, none where it is not set."""
    wanted = os.environ.get("PAGES", "").replace(",", " ").split()
    names = [f"book/{name.removeprefix('book/').removesuffix('.md')}" for name in wanted]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"PAGES: no such page: {', '.join(unknown)}; one of\n    " + "\n    ".join(known))
    return names


def pages() -> list[str]:
    known = [page for page, _ in reading_order(yaml.safe_load((ROOT / "_toc.yml").read_text()))]
    return chosen(known) or [page for page in known if page.count("/") == 2]


def main() -> int:
    if not (SITE / "index.html").is_file():
        sys.exit("The book is not built: `make book` builds it.")
    names = pages()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    print(f"Measured in Chromium; its times are {SLOWER} times those of this machine. Columns:")
    print("".join(f"  {column:8} {meaning}\n" for column, meaning in COLUMNS.items()))
    width = max(map(len, names)) + 1
    print(" " * width + "".join(f"{column:>9}" for column in COLUMNS), flush=True)
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for name in names:
            rows.append(row := look_at(browser, address, name))
            print(name.ljust(width) + cells(row), flush=True)
        found = search_works(browser, SITE)
        browser.close()
    known = {column: [r[column] for r in rows if r[column] is not None] for column in COLUMNS}
    for what, of in (("median", median), ("least", min), ("most", max)):
        summary = {column: of(values) if values else None for column, values in known.items()}
        print(what.ljust(width) + cells(summary))
    print(f"Search, opened from the disk: {'finds' if found else 'FINDS NOTHING'}")
    server.shutdown()
    return 0


def cells(row: dict[str, float | None]) -> str:
    return "".join(f"{cell(column, row[column]):>9}" for column in COLUMNS)


if __name__ == "__main__":
    sys.exit(main())
