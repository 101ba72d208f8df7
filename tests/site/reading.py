"""What a reader does around the text: looks at what a link leads to, searches, filters claims."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

PREVIEW = "#preview:popover-open"

# Set against the right edge, as where its link stands there, and made wider, as fonts do that come.
STAYS_INSIDE = """async box => {
    const later = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    box.style.left = `${innerWidth - box.offsetWidth - 8}px`;
    box.style.minWidth = `${Math.min(innerWidth - 16, box.offsetWidth + 50)}px`;
    await later();
    await later();
    const inside = box.getBoundingClientRect().right <= innerWidth;
    box.style.minWidth = '';
    await later();
    return inside;
}"""


def faults_of_preview(page: Page, link: Locator, words: str) -> list[str]:
    """Reach a link by mouse and by keyboard; it shows `words`, and goes as it should."""
    faults = []

    def shows(shown: bool) -> bool:
        state = "visible" if shown else "hidden"
        try:
            page.wait_for_selector(PREVIEW, state=state, timeout=2000)
        except Exception:  # it did not come, or stayed
            return False
        return True

    link.scroll_into_view_if_needed()
    page.mouse.move(2, 2)
    link.hover()
    if not shows(True):
        return ["the mouse brings no preview"]
    box = page.locator(PREVIEW)
    if words not in box.inner_text():
        faults.append(f"{words!r} is not in {box.inner_text()[:200]!r}")
    if r"\(" in box.inner_text():
        faults.append("a formula is not set")
    if page.locator(PREVIEW).evaluate("e => getComputedStyle(e).backgroundColor").endswith(", 0)"):
        faults.append("the text shines through")
    at = box.bounding_box()
    if at["x"] < 0 or at["x"] + at["width"] > page.viewport_size["width"]:
        faults.append("it sticks out of the window")
    if not box.evaluate(STAYS_INSIDE):
        faults.append("it sticks out of the window when it has become wider")
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + min(at["height"] / 2, 20), steps=5)
    page.wait_for_timeout(500)
    if not box.is_visible():
        faults.append("it goes when the mouse moves onto it")
    page.keyboard.press("Escape")
    if not shows(False):
        faults.append("Escape does not close it")
    page.mouse.move(2, 2)
    # The keyboard reaches a link from what comes before it.
    link.evaluate("e => { e.insertAdjacentHTML('beforebegin', '<i tabindex=0 id=before></i>') }")
    page.evaluate("document.querySelector('#before').focus()")
    page.keyboard.press("Tab")
    if not shows(True):
        faults.append("the keyboard brings no preview")
    page.keyboard.press("Escape")
    if not shows(False):
        faults.append("Escape does not close what the keyboard brought")
    page.evaluate("document.querySelector('#before').remove()")
    return faults


def search(page: Page, words: str) -> list[dict[str, Any]]:
    """Type words into the field of the search page; return what is listed, best first."""
    field = page.locator("main input[name=q]")
    field.fill(words)
    field.press("Enter")
    return page.evaluate(
        """[...document.querySelectorAll('.search-hits > li')].map(hit => ({
            title: hit.querySelector('a').textContent,
            address: hit.querySelector('a').getAttribute('href'),
            text: hit.querySelector('p').textContent,
            marked: [...hit.querySelectorAll('mark')].map(mark => mark.textContent)}))"""
    )


def faults_of_search(page: Page, asked: dict[str, tuple[str, Callable[[str], bool]]]) -> list[str]:
    """Ask for words; each is found first where it should be, and shown in text that can be read."""
    faults = []
    for words, (what, right) in asked.items():
        hits = search(page, words)
        if not hits or not right(hits[0]["address"]):
            faults.append(f"{what} {words!r}: {[hit['address'] for hit in hits[:3]]}")
        faults += [
            f"{words!r}: raw TeX in {hit['text']!r}"
            for hit in hits
            if "\\" in hit["text"] or "$" in hit["text"]
        ]
    return faults


def shown_claims(page: Page) -> int:
    """Count the claims that the scoreboard's filter leaves."""
    return page.locator(".claim-row:visible").count()
