"""The lectures' slides, as one opens them from a disk."""

import re

import decks
import pytest
from book_site import DESKTOP
from sheets import drawn_on_pages
from sliders import by_keyboard, stuck
from visits import STANDS

DECKS = sorted(page.removeprefix("book/") for page in decks.sources())
LEAST = 20  # pixels of 720: what can be read from the last row

# What is beyond its slide, is cut, covers what stands beside it, or is too small to be read.
OVERFLOWING = """least => {
    const faults = [];
    const large = e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 4;
    const asked = e => `${e.scrollWidth} by ${e.scrollHeight} pixels`;
    document.querySelectorAll('.slides section').forEach((slide, number) => {
        const box = slide.getBoundingClientRect(), name = `slide ${number + 1}`;
        const fault = (e, what) => faults.push(
            `${name}, ${e.tagName} ${e.className} ${e.textContent.slice(0, 30)}: ${what}`);
        if (large(slide)) fault(slide, `needs ${asked(slide)}`);
        const size = parseFloat(getComputedStyle(slide.querySelector('.body')).fontSize);
        if (size < least) faults.push(`${name}: letters of ${size} pixels`);
        slide.querySelectorAll('*').forEach(e => {
            if (e.closest('.ib-live, .ib-room, aside, script, style')) return;
            if (e.parentElement.closest('svg, mjx-container')) return;
            const own = e.getBoundingClientRect();
            if (!own.width || !own.height) return;
            if (own.left < box.left - 1 || own.top < box.top - 1 ||
                own.right > box.right + 1 || own.bottom > box.bottom + 1)
                fault(e, 'beyond the slide');
            if (getComputedStyle(e).overflow !== 'visible' && e.clientWidth && large(e))
                fault(e, `cut, needs ${asked(e)}`);
        });
        const parts = [slide.querySelector('h2, h1'), ...slide.querySelectorAll(
            '.text > *, .drawn > *, .body > :not(.text, .drawn)')].filter(Boolean)
            .map(e => [e, e.getBoundingClientRect()]).filter(([e, own]) => own.height);
        parts.forEach(([one, a], i) => parts.slice(i + 1).forEach(([other, b]) => {
            const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (!one.contains(other) && across > 2 && down > 2) fault(other, 'covers something');
        }));
    });
    return faults;
}"""

SLIDES = """[...document.querySelectorAll('.slides > section')].map(slide => ({
    title: slide.querySelector('h1, h2').innerText,
    notes: Boolean(slide.querySelector('aside.notes')),
    asks: Boolean(slide.querySelector('.proof, .ib-figure')),
    controls: slide.querySelectorAll('.ib-figure .ib-control').length,
}))"""


@pytest.fixture(scope="module")
def stage(browser):
    """One window for all decks, and what it asked for and complained about."""
    page = browser.new_context(**DESKTOP, reduced_motion="reduce").new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(f"failed: {request.url}"))
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    yield page
    page.context.close()


def show(stage, site, deck, query=""):
    stage.asked.clear()
    stage.complaints.clear()
    stage.goto("about:blank")
    stage.goto(f"{(site / 'slides' / f'{deck}.html').as_uri()}{query}")
    stage.wait_for_selector("html[data-deck=ready]")
    stage.evaluate(STANDS)
    return stage


@pytest.mark.parametrize("deck", DECKS)
def test_what_a_deck_shows(deck, site, stage):
    """All that is to be asked of a deck, in one visit."""
    page, faults = show(stage, site, deck), {}
    folder = f"{(site / 'slides').as_uri()}/"
    faults["outside"] = [u for u in page.asked if not u.startswith((folder, "data:", "about:"))]
    faults["too much"] = page.evaluate(OVERFLOWING, LEAST)
    slides = page.evaluate(SLIDES)
    faults["without notes"] = [s["title"] for s in slides if s["asks"] and not s["notes"]]
    # On the first slide that has a figure: the others' have the same script, which knows no slides.
    for number in [number for number, slide in enumerate(slides) if slide["controls"]][:1]:
        page.evaluate(f"Reveal.slide({number})")
        faults["keyboard"] = stuck(page, by_keyboard, within=".slides > section.present")
        if page.evaluate("Reveal.getState().indexh") != number:
            faults["keyboard"].append("a slider's key turned the slide")
    faults["complaints"] = page.complaints
    assert {what: found for what, found in faults.items() if found} == {}
    assert 9 <= len(slides) <= 20


def test_an_overflow_is_noticed(site, stage):
    page = show(stage, site, DECKS[0])
    for mark, change in {
        "beyond the slide": "b.style.marginLeft = '600px'; b.style.width = '900px'",
        "cut": "b.style.overflow = 'hidden'; b.style.maxHeight = '30px'",
        "covers something": "b.style.marginTop = '-150px'; b.style.justifyContent = 'start'",
        "letters": "b.style.fontSize = '12px'",
    }.items():
        page.evaluate(f"{{const b = document.querySelectorAll('.body')[1]; {change}}}")
        assert any(mark in fault for fault in page.evaluate(OVERFLOWING, LEAST)), mark
        page.evaluate("document.querySelectorAll('.body')[1].removeAttribute('style')")


def test_keys_of_a_presenter(site, stage):
    """From a slider one goes on by a clicker; the dark, the notes' window, the figure by a key."""
    deck = "imd/scale-and-shape"
    page = show(stage, site, deck)
    at = next(n for n, slide in enumerate(page.evaluate(SLIDES)) if slide["controls"])
    page.evaluate(f"Reveal.slide({at})")
    page.keyboard.press("m")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("PageDown")
    assert page.evaluate("Reveal.getState().indexh") == at + 1
    page.keyboard.press("PageUp")
    page.keyboard.press("m")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getState().indexh") == at + 1
    assert not page.evaluate("Reveal.isOverview()")

    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("d")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (
        sum(map(int, re.findall(r"\d+", light)))
        > 700
        > 150
        > sum(map(int, re.findall(r"\d+", dark)))
    )

    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value
    notes.wait_for_function("document.querySelector('.speaker-controls-notes .value')?.innerText")
    said = notes.inner_text(".speaker-controls-notes .value")
    source = decks.read_deck(decks.SOURCES / f"{deck}.md", f"book/{deck}")
    assert said.startswith(source.slides[at].notes.partition("$")[0].strip())
    notes.close()

    page.keyboard.press("Shift+Slash")  # ?
    listed = page.wait_for_selector(".r-overlay-help").inner_text()
    assert all(key in listed for key in ("M\t", "D\t", "Speaker notes"))
    assert page.complaints == []


def test_a_deck_is_printed_slide_by_slide(site, stage):
    deck = "imd/scale-and-shape"
    page = show(stage, site, deck, "?print-pdf")
    pages = page.evaluate(
        """[...document.querySelectorAll('.pdf-page')].map(e => [e.offsetWidth, e.offsetHeight])"""
    )
    assert len(pages) == len(decks.read_deck(decks.SOURCES / f"{deck}.md", deck).slides) + 1
    assert {width for width, _ in pages} == {1280}
    figures = page.evaluate(
        "[...document.querySelectorAll('.pdf-page')].map(e => Boolean(e.querySelector('svg')))"
    )
    page.emulate_media(media="print")
    assert page.evaluate(OVERFLOWING, LEAST) == []
    printed = drawn_on_pages(page.pdf(prefer_css_page_size=True))
    page.emulate_media(media="screen")
    assert len(printed) == len(figures)
    assert [lines > 50 for lines, _ in printed] == figures
    assert min(words for _, words in printed) > 10


def test_each_lecture_leads_to_its_slides(site):
    """And they lead back."""
    for deck in DECKS:
        path, lecture = site / f"slides/{deck}.html", site / f"book/{deck}.html"
        assert f'href="../../slides/{deck}.html"' in lecture.read_text(encoding="utf-8")
        (back,) = re.findall(r'lecture-link"><a href="([^"]*)"', path.read_text(encoding="utf-8"))
        assert (path.parent / back).resolve() == lecture.resolve()
