"""Every page of the site: what it loads, what it weighs, what it says to machines."""

import json
import re
from collections import Counter
from functools import cache
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from axe import HOLLOW, beyond_the_theme, go
from book_site import GENERATED, PAGES, ROOT, VISITED, in_turns, read
from page_measures import (
    clipped_formulas,
    cut_display_formulas,
    silent_cuts,
    stops_at_line_starts,
    weight,
)
from quiz_by_keyboard import FORGETFUL, faults_of_quiz, faults_without_scripts
from sliders import (
    by_keyboard,
    by_mouse,
    by_touch,
    covered,
    idle_presets,
    stuck,
    useless_steps,
)
from visible import (
    clipped,
    faults_of_figures,
    faults_of_formulas,
    light_panels,
    pale_text,
    sticking_out,
    words_beyond,
)

MOVED = json.loads((ROOT / "book/_ext/moved.json").read_text(encoding="utf-8"))
LECTURES = [page for page in PAGES if (ROOT / f"book/quizzes/{page[5:]}.yaml").exists()]
BUDGET = 450_000  # bytes that a visit to a page fetches, compressed


@cache
def ids(site, name):
    """Every id of a page, and how often it is there: of several pages, so without reading them."""
    return Counter(re.findall(r'<[^<>]*\sid="([^"]+)"', (site / f"{name}.html").read_text("utf-8")))


@pytest.mark.parametrize("name", [*in_turns(VISITED), *GENERATED])
def test_what_a_visit_shows(name, site, address, visit, theme_faults):
    """All that is to be asked of a page: in one visit, light on a desktop and dark on a phone.

    To turn a page from light to dark, or to make it narrow, takes half as long as to load it. So it
    is done once for both, and once back when little is left of the page: the colours of what is
    beside a narrow page, and the layout of a light one, are every page's (`test_template.py`).
    """
    opened = visit(f"{address}/{name}.html", color_scheme="light")
    page, faults = opened.page, {}
    if (fetched := weight(site, opened.requests, "/")) > BUDGET:
        faults["weight"] = f"{fetched} bytes"
    # They come with the style sheet (formulas.AT_ONCE).
    late = [url for url in opened.requests if re.search(r"/formulas/.*woff", url)]
    faults["formulas wait for a font"] = late
    if name in PAGES:
        faults["formulas"] = faults_of_formulas(page, name)
        faults["figures"] = faults_of_figures(page, name)
    faults["cut off"] = clipped(page)
    faults["wider than the column"] = cut_display_formulas(page)
    faults["starts a line"] = stops_at_line_starts(page)
    faults["pale"] = pale_text(page)
    faults["covered"] = covered(page)
    faults["keyboard"] = stuck(page, by_keyboard, pixels=True)
    faults["mouse"] = stuck(page, by_mouse)
    faults["steps"] = useless_steps(page)
    faults["presets"] = idle_presets(page)
    go(page, "phone")
    faults["light in the dark"] = light_panels(page)
    faults["pale in the dark"] = pale_text(page)
    faults["too wide for a phone"] = sticking_out(page)
    faults["cut off on a phone"] = clipped(page) + clipped_formulas(page)
    faults["starts a line on a phone"] = stops_at_line_starts(page)
    faults["is cut on a phone and does not say so"] = silent_cuts(page)
    faults["covered on a phone"] = covered(page)
    faults["words that their picture cuts off on a phone"] = words_beyond(page)
    faults["touch"] = stuck(page, by_touch(page))

    page.evaluate(HOLLOW)
    faults["axe-core, phone"] = beyond_the_theme(page, "phone", theme_faults["phone"])
    go(page, "light")
    faults["axe-core, desktop"] = beyond_the_theme(page, "desktop", theme_faults["light"])
    assert {what: found for what, found in faults.items() if found} == {}


@pytest.mark.parametrize("name", LECTURES)
def test_questions_can_be_read_without_scripts(name, site):
    assert faults_without_scripts(read(site, name)) == []


@pytest.mark.parametrize(("name", "kept"), [(LECTURES[1], True), (LECTURES[-1], False)])
def test_questions_are_answered_by_keyboard(name, kept, site, visit):
    """Also where the browser is forbidden to keep what was chosen."""
    page = visit((site / f"{name}.html").as_uri(), goes_on=True).page
    if not kept:
        page.add_init_script(FORGETFUL)
        page.reload()
    faults = faults_of_quiz(page)
    assert faults == ([] if kept else ["forgotten when the page is loaded again"])
    page.emulate_media(media="print")
    assert page.locator(".quiz-answers:visible, .quiz input:visible").count() == 0
    assert page.locator(".quiz-asked:visible").count() == 3


def test_links_inside_the_book_lead_somewhere(page_name, site):
    here = f"http://book/{page_name}.html"
    dead = []
    for link in read(site, page_name).select("[href], [src]"):
        address = link.get("href") or link["src"]
        if address.startswith("/"):
            dead.append(f"{address} leads nowhere when the page is opened from the disk")
        target, anchor = urldefrag(urljoin(here, address))
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
        assert not re.search(r"\de[-+]\d", label), f"nobody can listen to {label!r}"
        assert len(drawing.select("path, text, use")) > 5, "nothing is drawn without scripts"
    for figure in page.select(".ib-figure"):
        assert len(figure.select(".ib-picture > svg")) == 1, "no picture without scripts"


def test_launch_buttons_open_the_notebook(page_name, site):
    notebook = ROOT / f"{page_name}.ipynb"
    links = [a["href"] for a in read(site, page_name).select("a[href]")]
    launchers = [a for a in links if a.startswith(("https://mybinder.", "https://colab."))]
    of_the_page = [link for link in launchers if link.endswith(f"/{page_name}.ipynb")]
    assert len(of_the_page) == (2 if notebook.exists() else 0)
    students = f"course/{page_name.removeprefix('book/')}.ipynb"
    of_students = [link for link in launchers if link.endswith(f"/{students}")]
    assert len(of_students) == (2 if (ROOT / students).exists() else 0)
    assert len(of_students) + len(of_the_page) == len(launchers)
    if of_students:
        (download,) = read(site, page_name).select(".course-notebook a[download]")
        file = (site / page_name).parent / download["href"]
        assert file.read_text(encoding="utf-8") == (ROOT / students).read_text(encoding="utf-8")


def test_no_page_names_a_content_network(page_name, site):
    html = (site / f"{page_name}.html").read_text(encoding="utf-8")
    assert re.findall(r"unpkg\.com|jsdelivr|cdnjs|googleapis|require\.js|gstatic", html) == []


def test_no_setting_is_told_with_two_signs(page_name, site):
    """Alt texts of all frames are in a page: "ten to the minus -1" is said at one stop only."""
    html = (site / f"{page_name}.html").read_text(encoding="utf-8")
    assert re.findall(r"minus (?:[-−]|\\u2212).{,20}", html) == []


@pytest.mark.parametrize("name", [*PAGES, "404"])
def test_head_says_what_the_page_is(name, site):
    head = read(site, name).head
    title = head.title.get_text()
    parts = title.split(" — ")
    assert len(set(parts)) == len(parts), f"{title!r} says a thing twice"
    shown = {tag.get("property"): tag["content"] for tag in head.select("meta[property]")}
    assert shown["og:title"] == parts[0]
    assert "og:url" not in shown, "nobody has said where this site is"
    if name == "book/intro" or name.count("/") > 1:
        (description,) = head.select("meta[name=description]")
        assert description["content"] == shown["og:description"]
        assert 4 < len(description["content"].split()) < 50
    assert head.select("link[rel=icon]")


def test_every_page_can_be_reached(site):
    links = {
        urldefrag(urljoin("http://book/book/intro.html", link["href"]))[0]
        for link in read(site, "book/intro").select("a[href]")
    }
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    apart = {"index.html", "search.html", "404.html", "book/intro.html"}
    apart |= {name for name in built if name.startswith("slides/")}  # from their lectures' pages
    assert [name for name in sorted(built - apart) if f"http://book/{name}" not in links] == []


@pytest.mark.parametrize("chapter", MOVED)
def test_every_old_address_leads_to_its_place(chapter, site):
    """A chapter was one page: what it had then is on it, or where its script sends the reader."""
    html = (site / f"{chapter}.html").read_text(encoding="utf-8")
    (table,) = re.findall(r"var moved=(\{.*?\});", html)
    moved, here = json.loads(table), f"http://book/{chapter}.html"
    assert len(moved) > 20
    for anchor in MOVED[chapter]["anchors"]:
        target, there = urldefrag(urljoin(here, moved.get(anchor, f"#{anchor}")))
        page = target.removeprefix("http://book/").removesuffix(".html")
        assert there in ids(site, page), f"#{anchor} was on {chapter}.html once"
