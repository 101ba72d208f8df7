"""Every page of the site: what it loads, what it weighs, what it says to machines."""

import gzip
import re
from collections import Counter
from functools import cache
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from book_site import GENERATED, PAGES, PHONE, ROOT, read

BUDGET = 1_000_000  # bytes of gzipped HTML on one page


@cache
def ids(site, name):
    return Counter(tag["id"] for tag in read(site, name).select("[id]"))


def test_page_loads_from_its_own_origin_and_sets_its_formulas(page_name, site, address, visit):
    seen = visit(f"{address}/{page_name}.html")
    assert seen.requests
    foreign = [url for url in seen.requests if not url.startswith((address, "data:", "blob:"))]
    assert foreign == []
    assert seen.errors == []
    sources = read(site, page_name).select(".math")
    assert seen.page.locator("mjx-container").count() >= len(sources)
    assert seen.page.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_page_opens_from_the_disk(page_name, site, visit):
    seen = visit((site / f"{page_name}.html").as_uri())
    assert [url for url in seen.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert seen.errors == []
    math = seen.page.locator(".math").count()
    assert seen.page.locator("mjx-container").count() >= math


def test_printed_path_leads_to_the_book(site, visit):
    # index.html sends the reader on at once: whatever is asked of it while it does is lost
    page = visit((site / "index.html").as_uri(), formulas=False).page
    page.wait_for_url(re.compile(r"book/intro\.html"))
    assert page.locator("h1:visible").count() == 1


@pytest.mark.parametrize("name", [*PAGES, *GENERATED])
def test_nothing_overflows_on_a_phone(name, address, visit):
    page = visit(f"{address}/{name}.html", **PHONE).page
    width = page.evaluate("document.scrollingElement.scrollWidth")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert width <= 390, f"{width} px wide; sticking out: {wide}"


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
    seen = visit(f"{address}/search.html?q=notation")
    seen.page.wait_for_selector("#search-results li a")
    assert seen.page.locator("#search-results li a[href*='notation']").count() >= 1
    assert [url for url in seen.requests if not url.startswith(address)] == []
    assert seen.errors == []


def test_the_page_is_dark_and_its_outputs_lie_on_it(page_name, address, visit):
    """The theme puts a light panel under HTML outputs; figures and claims must not keep it."""
    page = visit(f"{address}/{page_name}.html", formulas=False, color_scheme="dark").page
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g)")
    assert max(map(float, channels[:3])) < 80
    panels = page.evaluate(
        """() => [...document.querySelectorAll('.cell_output .text_html')]
            .map(e => getComputedStyle(e).backgroundColor)"""
    )
    assert set(panels) <= {"rgba(0, 0, 0, 0)"}
