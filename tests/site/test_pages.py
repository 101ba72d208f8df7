"""Every page of the site: what it loads, what it weighs, what it says to machines."""

import gzip
import re
from collections import Counter
from functools import cache
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from axe import beyond_the_theme
from book_site import GENERATED, PAGES, PHONE, ROOT, read
from visible import clipped, faults_of_figures, faults_of_formulas, pale_text

BUDGET = 1_000_000  # bytes of gzipped HTML on one page


@cache
def ids(site, name):
    return Counter(tag["id"] for tag in read(site, name).select("[id]"))


@pytest.mark.parametrize("name", [*PAGES, *GENERATED])
def test_what_a_visit_shows(name, address, visit, theme_faults):
    """All that can be asked of a page that stands, on a desktop and then on a phone."""
    page = visit(f"{address}/{name}.html", color_scheme="light").page
    faults = {}
    if name in PAGES:
        faults["formulas"] = faults_of_formulas(page, name)
        faults["figures"] = faults_of_figures(page, name)
    faults["cut off"] = clipped(page)
    faults["pale"] = pale_text(page)
    faults["axe-core"] = beyond_the_theme(page, "light", theme_faults)
    page.set_viewport_size(PHONE["viewport"])
    page.wait_for_timeout(1000)  # the theme makes what scrolls now focusable, a moment later
    faults["too wide for a phone"] = sticking_out(page)
    faults["cut off on a phone"] = clipped(page)
    faults["axe-core on a phone"] = beyond_the_theme(page, "phone", theme_faults)
    assert {what: found for what, found in faults.items() if found} == {}


@pytest.mark.parametrize("name", [*PAGES, *GENERATED])
def test_what_a_visit_in_the_dark_shows(name, address, visit, theme_faults):
    """The theme puts a light panel under HTML outputs; figures and claims must not keep it."""
    # Formulas have the colour of the text around them, set or not.
    page = visit(f"{address}/{name}.html", formulas=False, color_scheme="dark").page
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g)")
    assert max(map(float, channels[:3])) < 80
    panels = page.evaluate(
        """() => [...document.querySelectorAll('.cell_output .text_html')]
            .map(e => getComputedStyle(e).backgroundColor)"""
    )
    assert set(panels) <= {"rgba(0, 0, 0, 0)"}
    assert pale_text(page) == []
    assert beyond_the_theme(page, "dark", theme_faults) == []


def sticking_out(page) -> list[str]:
    """Where a page is wider than its window, what makes it so."""
    width = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    if width <= 0:
        return []
    return page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
    ) or [f"{width} px too wide"]


def test_page_opens_from_the_disk(page_name, site, visit):
    visit((site / f"{page_name}.html").as_uri(), formulas=False)


def test_formulas_are_set_from_the_disk(site, visit):
    page = visit((site / "book/notation.html").as_uri()).page
    assert faults_of_formulas(page, "book/notation") == []


def test_printed_path_leads_to_the_book(site, visit):
    # index.html sends the reader on at once: whatever is asked of it while it does is lost
    page = visit((site / "index.html").as_uri(), formulas=False, goes_on=True).page
    page.wait_for_url(re.compile(r"book/intro\.html"))
    assert page.locator("h1:visible").count() == 1


def test_page_weight(page_name, site):
    html = (site / f"{page_name}.html").read_bytes()
    assert len(gzip.compress(html)) <= BUDGET


def test_links_inside_the_book_lead_somewhere(page_name, site):
    here = f"http://book/{page_name}.html"
    dead = []
    for link in read(site, page_name).select("[href], [src]"):
        target, anchor = urldefrag(urljoin(here, link.get("href") or link["src"]))
        if not target.startswith("http://book/"):
            continue
        path = site / unquote(target.removeprefix("http://book/").partition("?")[0])
        if path.is_dir():
            path /= "index.html"
        if not path.exists():
            dead.append(target)
        elif anchor and path.suffix == ".html":
            page = path.relative_to(site).with_suffix("").as_posix()
            if unquote(anchor) not in ids(site, page):
                dead.append(f"{target}#{anchor}")
    assert dead == []


def test_ids_are_unique(page_name, site):
    theme = {"theme-switch", "sbt-scroll-pixel-helper"}
    assert [n for n, count in ids(site, page_name).items() if count > 1 and n not in theme] == []


def test_images_have_alternatives(page_name, site):
    page = read(site, page_name)
    assert [str(image) for image in page.select("img") if not image.get("alt", "").strip()] == []


def test_computed_figures_say_what_is_to_be_seen(page_name, site):
    page = read(site, page_name)
    bitmaps = page.select(".cell_output img[src*='.png'], .cell_output img[src^='data:image/png']")
    assert [str(image)[:200] for image in bitmaps] == [], "show figures with picture() or explore()"
    for drawing in page.select(".cell_output svg"):
        if drawing.find_parent("svg"):
            continue
        label = drawing.get("aria-label") or ""
        assert drawing.get("role") == "img", str(drawing)[:200]
        assert len(label.split()) >= 5, f"alt text {label!r} says too little"


def test_launch_buttons_open_the_notebook(page_name, site):
    notebook = ROOT / f"{page_name}.ipynb"
    links = [a["href"] for a in read(site, page_name).select("a[href]")]
    launchers = [a for a in links if a.startswith(("https://mybinder.", "https://colab."))]
    assert len(launchers) == (2 if notebook.exists() else 0)
    assert all(link.endswith(f"/{page_name}.ipynb") for link in launchers)


def test_no_page_names_a_content_network(page_name, site):
    html = (site / f"{page_name}.html").read_text(encoding="utf-8")
    assert re.findall(r"unpkg\.com|jsdelivr|cdnjs|googleapis|require\.js|gstatic", html) == []


def test_search_finds_a_page_offline(address, visit):
    page = visit(f"{address}/search.html?q=notation", goes_on=True).page
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a[href*='notation']").count() >= 1
