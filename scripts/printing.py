"""Prints pages of the site with Chromium: with bookmarks, tagged, with links."""

from pathlib import Path
from types import TracebackType
from typing import Self

from browser import FLAGS, find_chromium
from playwright.sync_api import Browser, sync_playwright

MINUTES = 10  # the whole book is a million elements
# A file on this disk is nowhere on another: such a link is its words.
LINKS_OF_PAPER = """document.querySelectorAll('a[href]').forEach(a => {
    const here = a.href.split('#')[0] === location.href.split('#')[0] && a.hash;
    if (a.protocol === 'file:' && !here) a.removeAttribute('href');
})"""
FOOT = (
    '<div style="width:100%;font-size:8px;text-align:center;font-family:sans-serif">'
    '<span class="pageNumber"></span></div>'
)


class Printer:
    """A browser that prints; to be used in a ``with`` statement.

    Parameters
    ----------
    browser
        One that runs already, and goes on running. Default: one of its own.
    """

    def __init__(self, browser: Browser | None = None) -> None:
        self._browser = browser
        self._own = browser is None

    def __enter__(self) -> Self:
        """Start the browser."""
        if not self._own:
            return self
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=find_chromium(), args=list(FLAGS)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        if self._own:
            self._browser.close()
            self._playwright.stop()

    def text(self, html: str, target: Path) -> Path:
        """Print the text of a page, which leads to its styles by whole addresses."""
        target.parent.mkdir(parents=True, exist_ok=True)
        source = target.with_suffix(".html")
        source.write_text(html, encoding="utf-8")
        try:
            return self.page(source, target)
        finally:
            source.unlink()

    def page(self, source: Path, target: Path) -> Path:
        """Print a page on A4, as print.css has it."""
        return self._print(
            source.as_uri(),
            target,
            ready="document.readyState === 'complete'",
            format="A4",
            prefer_css_page_size=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
        )

    def deck(self, source: Path, target: Path) -> Path:
        """Print a deck, a slide a page."""
        return self._print(
            f"{source.as_uri()}?print-pdf",
            target,
            ready="document.documentElement.dataset.deck === 'ready'",
            prefer_css_page_size=True,
            print_background=True,
        )

    def _print(self, address: str, target: Path, *, ready: str, **options: object) -> Path:
        page = self._browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(MINUTES * 60_000)
        page.goto(address, wait_until="load")
        page.wait_for_function(ready)
        page.evaluate("document.fonts.ready")
        page.evaluate(LINKS_OF_PAPER)
        target.parent.mkdir(parents=True, exist_ok=True)
        page.pdf(path=target, outline=True, tagged=True, **options)
        page.close()
        return target
