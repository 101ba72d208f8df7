"""Around the text: previews of what links lead to, the search, and the claims, one and all."""

import gzip
import json
import re
from collections import Counter

import pytest
from book_site import PAGES, ROOT, read
from labels import PROOF_KINDS, read_book
from reading import faults_of_preview, faults_of_search, search, shown_claims
from visits import open_page

from ibtools.claims import CLAIMS

BOOK = read_book(ROOT)
MOST_OF_PREVIEWS = 100_000  # bytes, gzipped, of what one page refers to on others
MOST_OF_THE_INDEX = 300_000


@pytest.fixture(scope="module", params=["http", "file"])
def base(request, site, address):
    """Where the site is: on a server, and on the disk."""
    return address if request.param == "http" else site.as_uri()


def theorem_elsewhere(site):
    """A page, and on it a link to a theorem of another page, with the theorem's name."""
    for page in PAGES:
        for link in read(site, page).select("article p a.reference.internal[href*='#']"):
            path, _, anchor = link["href"].partition("#")
            label = BOOK.labels.get(anchor)
            if (
                path
                and label
                and label.kind in PROOF_KINDS
                and not link.find_parent(class_="proof")
            ):
                return page, link["href"], label.name
    raise AssertionError("no page refers to a theorem of another page")


def equation_here(site):
    for page in PAGES:
        found = read(site, page).select("article p a.reference.internal[href^='#equation-']")
        if found:
            return page, found[0]["href"], found[0].get_text()
    raise AssertionError("no page refers to an equation of its own")


@pytest.mark.parametrize("kind", [theorem_elsewhere, equation_here])
def test_a_link_shows_what_it_leads_to(kind, site, base, visit):
    name, href, words = kind(site)
    opened = visit(f"{base}/{name}.html")
    opened.loaded = None  # what is shown may need the preview's file, and a font
    page = opened.page
    link = page.locator(f'article p a.reference.internal[href="{href}"]').first
    assert faults_of_preview(page, link, words) == []


def test_a_tap_follows_a_link_and_shows_no_preview(site, address, browser):
    name, href, _ = theorem_elsewhere(site)
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    opened = open_page(browser, f"{address}/{name}.html", goes_on=True, **options)
    opened.page.locator(f'article p a.reference.internal[href="{href}"]').first.tap()
    opened.page.wait_for_url(re.compile(re.escape(href.rpartition("/")[2])))
    assert opened.page.locator("#preview").count() == 0
    assert opened.errors == []
    opened.page.context.close()


def test_previews_weigh_little_and_are_there_for_what_a_page_refers_to(site):
    for page in PAGES:
        file = site / "_previews" / f"{page}.js"
        assert len(gzip.compress(file.read_bytes())) < MOST_OF_PREVIEWS, page
        shown = json.loads(re.fullmatch(r"bookPreviews\((.*)\);\n", file.read_text("utf-8"))[1])
        for link in read(site, page).select("article a.reference.internal[href*='.html#']"):
            label = BOOK.labels.get(link["href"].partition("#")[2].removeprefix("equation-"))
            if label and label.kind in {*PROOF_KINDS, "equation", "exercise"}:
                assert link["href"] in shown, f"{page}: no preview of {link['href']}"


def a_word_of_one_place(site):
    """A word that stands in the text of one place, and the page of that place."""
    index = (site / "_static/search-index.js").read_text(encoding="utf-8")
    pages, places = (json.loads(line) for line in re.findall(r"^var \w+=(.*);$", index, re.M))
    counts = Counter(
        word for *_, text in places for word in set(re.findall(r"\b[a-z]{9,}\b", text))
    )
    everything = index.lower()
    for _, _, page, _, text in places:
        for word in re.findall(r"\b[a-z]{9,}\b", text):
            if counts[word] == 1 and everything.count(word) == 1:
                return word, f"{pages[page]['file']}.html"
    raise AssertionError("every word is said twice")


def test_the_search_finds_places(site, base, browser):
    """Theorems by name and number, sections, exercises, claims, terms, and any word of the text."""
    by_kind = {}
    for name, label in BOOK.labels.items():
        if label.kind in ("theorem", "exercise") and not set("{$").intersection(label.title):
            by_kind[label.kind] = name, label
    theorem, exercise = by_kind["theorem"], by_kind["exercise"]
    claim = CLAIMS[0]
    asked = {
        theorem[1].title: ("a theorem", lambda to: to.endswith(f"#{theorem[0]}")),
        theorem[1].name: ("a number", lambda to: to.endswith(f"#{theorem[0]}")),
        exercise[1].title: ("an exercise", lambda to: to.endswith(f"#{exercise[0]}")),
        claim.id: ("a claim", lambda to: to.endswith(f"#claim-{claim.id.replace('.', '-')}")),
        "tangent kernel": ("a term", lambda to: to.endswith("#term-tangent-kernel")),
        "When is a flow a mirror flow?": (
            "a section",
            lambda to: to.endswith("#when-is-a-flow-a-mirror-flow"),
        ),
    }
    opened = open_page(browser, f"{base}/search.html?q=mirror", goes_on=True)
    page = opened.page
    page.wait_for_selector(".search-hits a")
    assert faults_of_search(page, asked) == []

    assert search(page, "qwertzuiop") == []
    assert "Nothing found" in page.locator(".search-count").inner_text()
    assert search(page, "mirror qwertzuiop")
    assert "none with all" in page.locator(".search-count").inner_text()

    word, there = a_word_of_one_place(site)
    (hit,) = search(page, word)
    assert hit["address"].partition("#")[0] == there
    assert hit["marked"]

    hit = search(page, theorem[1].title)[0]
    page.keyboard.press("Tab")
    page.wait_for_timeout(200)  # what is typed is looked for after a moment, but not twice
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(hit["address"])))
    page.wait_for_function("CSS.highlights.get('found')?.size > 0")
    assert opened.errors == []
    assert not [url for url in opened.requests if not url.startswith((base, "data:"))]
    page.context.close()


def test_the_index_is_small_and_loaded_by_the_search_alone(site):
    index = (site / "_static/search-index.js").read_bytes()
    assert len(gzip.compress(index)) < MOST_OF_THE_INDEX
    for page in PAGES:
        assert "search-index.js" not in (site / f"{page}.html").read_text(encoding="utf-8")


def test_a_claim_stands_where_its_lecture_shows_it(site):
    boxes = {
        box["id"]: box for page in PAGES for box in read(site, page).select("div.claim-box[id]")
    }
    assert len(boxes) == len(CLAIMS)
    for claim in CLAIMS:
        box = boxes[f"claim-{re.sub(r'[^a-z0-9]+', '-', claim.id)}"]
        assert "$" not in box.get_text()
        assert box.select_one(".claim-verdict").get_text() == "✔ holds"
        assert box.select_one(".claim-call code").get_text().endswith(".check()")
        if claim.theorem is not None:
            assert box.select(f".claim-head a[href$='#{claim.theorem}']"), claim.id
        if claim.relation != "moves":
            assert box.select_one(".claim-relation").get_text() == claim.relation


def test_the_scoreboard_links_each_claim_and_filters_them(site, visit):
    """As one opens it from the disk: the filter asks no server for anything."""
    soup = read(site, "book/scoreboard")
    rows = soup.select(".claim-row")
    assert len(rows) == len(CLAIMS)
    assert all(row.select_one(".claim-head strong a[href*='#claim-']") for row in rows)
    assert (
        soup.select_one(".claim-banner").get_text()
        == f"✔ {len(CLAIMS)} of {len(CLAIMS)} claims hold"
    )

    page = visit((site / "book/scoreboard.html").as_uri()).page
    assert shown_claims(page) == len(CLAIMS)
    form = page.locator(".claim-filter")
    form.locator("[name=relation]").focus()
    form.locator("[name=relation]").select_option("moves")
    moves = [claim for claim in CLAIMS if claim.relation == "moves"]
    assert shown_claims(page) == len(moves)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # show all
    page.wait_for_function(
        f"document.querySelector('output').value.startsWith('all {len(CLAIMS)}')"
    )
    assert shown_claims(page) == len(CLAIMS)
    form.locator("[name=words]").press_sequentially("imd.theorem-1-at-scale")
    assert shown_claims(page) == 1


def test_the_scoreboard_is_whole_without_scripts_and_short_on_paper(site, address, visit, browser):
    page = visit(f"{address}/book/scoreboard.html", java_script_enabled=False).page
    assert shown_claims(page) == len(CLAIMS)
    assert not page.locator(".claim-filter").is_visible()
    printed = open_page(browser, f"{address}/book/scoreboard.html")
    pdf = printed.page.pdf(format="A4")
    printed.page.context.close()
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 6
