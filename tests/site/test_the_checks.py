"""The checks of the site see the faults they are there for: each is put into a page, and found."""

import pytest
from book_site import PAGES, read
from visible import clipped, drawing, faults_of_figures, faults_of_formulas, pale_text
from visits import open_page

STYLE = "document.head.insertAdjacentHTML('beforeend', `<style>{}</style>`)"


@pytest.fixture(scope="module")
def subject(site):
    """The lightest page that has figures to move and formulas."""
    with_both = [p for p in PAGES if read(site, p).select(".ib-controls") and _inline(site, p)]
    return min(with_both, key=lambda page: (site / f"{page}.html").stat().st_size)


def _inline(site, page):
    return read(site, page).select("p span.math")


@pytest.fixture
def page(subject, address, visit):
    """That page, without a fault."""
    page = visit(f"{address}/{subject}.html").page
    assert faults_of_formulas(page, subject) == []
    return page


UNKNOWN = r"""{
    const formula = document.querySelector('main p .math');
    formula.textContent = String.raw`\(\nosuchmacro\)`;
    MathJax.typesetPromise([formula]);
}"""


@pytest.mark.parametrize(
    "fault",
    [
        STYLE.format("mjx-container { visibility: hidden }"),
        STYLE.format("mjx-container { opacity: 0 }"),
        STYLE.format("main p { display: none }"),
        "document.querySelectorAll('main p .math').forEach(e => e.remove())",
        UNKNOWN,
    ],
    ids=["hidden", "transparent", "not displayed", "deleted", "unknown macro"],
)
def test_a_formula_that_is_not_there_is_missed(page, subject, fault):
    page.evaluate(fault)
    assert faults_of_formulas(page, subject) != []


@pytest.mark.parametrize(
    "fault",
    [
        "document.querySelector('.ib-picture').remove()",
        "document.querySelector('.ib-picture svg').remove()",
        STYLE.format(".ib-picture { display: none }"),
        STYLE.format(".ib-picture svg path, .ib-picture svg use { visibility: hidden }"),
        STYLE.format(".ib-picture svg * { stroke: none !important; fill: none !important }"),
    ],
)
def test_a_picture_that_is_not_there_is_missed(page, subject, fault):
    page.evaluate(fault)
    assert faults_of_figures(page, subject) != []


def test_text_that_is_cut_off_is_missed(page):
    before = clipped(page)
    page.evaluate(
        """document.querySelector('main section').insertAdjacentHTML('beforeend',
            '<div style="overflow:hidden"><div style="width:4000px">wide</div></div>')"""
    )
    assert len(clipped(page)) > len(before)


def test_pale_text_is_seen(page):
    page.evaluate(STYLE.format(".ib-picture svg { opacity: 0.1 }"))
    assert pale_text(page) != []


def test_a_drawing_of_which_only_the_words_change_is_the_same(page):
    picture = page.locator(".ib-picture").first
    before = drawing(picture)
    page.evaluate(
        """document.querySelectorAll('.ib-picture svg text').forEach(e => e.textContent += '!')"""
    )
    assert drawing(picture) == before
    page.evaluate(STYLE.format(".ib-picture svg path { visibility: hidden }"))
    assert drawing(picture) != before


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("setTimeout(() => { throw new Error('on input') })", "on input"),
        ("console.error('complains')", "complains"),
        ("fetch('/nothing-of-that-name')", "after it had loaded"),
        ("new Image().src = 'http://example.invalid/a.png'", "another server"),
    ],
)
def test_an_error_or_a_request_on_the_way_is_seen(subject, address, browser, fault, said):
    seen = open_page(browser, f"{address}/{subject}.html")
    assert seen.faults() == []
    seen.page.evaluate(fault)
    seen.page.wait_for_timeout(300)
    assert any(said in found for found in seen.faults()), seen.faults()
    seen.page.context.close()
