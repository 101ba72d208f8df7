"""A page in the browser, and what it did while it was open."""

from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, Request

STANDS = """async () => {
    await new Promise(done => setTimeout(done));  // after the tasks that the page put off
    await document.fonts.ready;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

# What is far from the window a browser leaves out until a reader comes near (book.css); whoever
# asks something of a whole page needs all of it.
ALL = """() => {
    const style = document.createElement('style');
    style.textContent = '* {content-visibility: visible !important}';
    document.head.append(style);
}"""


@dataclass
class Visit:
    """One page in the browser, and what it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    loaded: int | None = None  # how many requests there were when the page stood

    def faults(self) -> list[str]:
        """What a page must never do: complain, ask another server, ask again when it stands."""
        origin = "file:" if self.page.url.startswith("file:") else "http://127.0.0.1:"
        foreign = [u for u in self.requests if not u.startswith((origin, "data:", "blob:"))]
        late = [] if self.loaded is None else self.requests[self.loaded :]
        # An icon is the browser's own affair, and previews are loaded when one is asked for.
        own = ("favicon", "/_previews/", "/_static/formulas/")  # fonts come when a fold is opened
        late = [url for url in late if not any(part in url for part in own)]
        return [
            *self.errors,
            *(f"asked another server: {url}" for url in foreign),
            *(f"asked for this after it had loaded: {url}" for url in late),
        ]


def open_page(
    browser: Browser, url: str, *, goes_on: bool = False, whole: bool = True, **options: object
) -> Visit:
    """Open an address in a fresh browser context and wait until it stands, with its fonts.

    A page that ``goes_on`` is not waited for until it stands, and may ask for more later. One that
    is not `whole` is as a reader finds it: what is far from the window is not laid out.
    """
    context = browser.new_context(reduced_motion="reduce", **options)
    visit = Visit(context.new_page())

    # Scripts that this visit itself refuses, the browser reports.
    refused = () if options.get("java_script_enabled", True) else (": csp",)

    def complain(what: str) -> None:
        if not any(reason in what for reason in refused):
            visit.errors.append(what)

    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))

    def failed(request: Request) -> None:
        if "favicon" not in request.url:  # the browser's own affair: a page may close before it
            complain(f"{request.url}: {request.failure}")

    visit.page.on("requestfailed", failed)
    visit.page.on(
        "console",
        lambda message: complain(message.text) if message.type == "error" else None,
    )
    visit.page.goto(url, wait_until="load")
    if goes_on:
        return visit
    if options.get("java_script_enabled", True):
        if whole:
            visit.page.evaluate(ALL)
        visit.page.evaluate(STANDS)
    visit.loaded = len(visit.requests)
    return visit
