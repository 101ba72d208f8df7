"""What is printed: a lecture, and a chapter's problems without their solutions and with them."""

import re
from collections import Counter

import handouts
import pytest
from built_page import BuiltSite, words
from labels import chapters, reading_order
from printing import Printer

CHAPTER = "book/non-homogeneous-nets"
LECTURES = chapters(handouts.TOC)[CHAPTER]


@pytest.fixture(scope="module")
def built(site):
    return BuiltSite(site, [name for name, _ in reading_order(handouts.TOC)])


def without_formulas(html):
    return words(re.sub(r"<mjx-math.*?</mjx-math>|<svg.*?</svg>", "", html, flags=re.DOTALL))


def pages_of(pdf):
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


def faults_of(pdf):
    """What a PDF lacks: Chromium writes its objects as text, and only what they hold is packed."""
    needs = {
        "a title": rb"/Title\s*[(<]",
        "bookmarks": rb"/Outlines\s+\d+ 0 R",
        "tags": rb"/StructTreeRoot\s+\d+ 0 R",
        "marks": rb"/Marked\s+true",
        "a language": rb"/Lang\s*[(<]",
    }
    faults = [what for what, pattern in needs.items() if not re.search(pattern, pdf)]
    fonts = len(re.findall(rb"/Type\s*/FontDescriptor", pdf))
    embedded = len(re.findall(rb"/FontFile[23]?\s+\d+ 0 R", pdf))
    embedded += len(re.findall(rb"/Subtype\s*/Type3", pdf))  # those of formulas are drawn
    if not fonts or embedded < fonts:
        faults.append(f"{fonts - embedded} of {fonts} fonts")
    if b"file:///" in pdf:
        faults.append("a link that leads to nothing on another machine")
    return faults


@pytest.mark.parametrize("solutions", [False, True])
def test_problems(built, solutions):
    """Each exercise of the chapter, with its solution or without a word of it."""
    html = handouts.problems(built, CHAPTER, LECTURES, solutions=solutions)
    article = html[html.index(handouts.ARTICLE) : html.rindex("</article>")]
    said = without_formulas(article)
    for name in LECTURES:
        exercises = built.pages[name].cut("exercises")
        titles = re.findall(r"Exercise \d\.\d+ </span> (.*?)</p>", exercises)
        assert titles
        assert [title for title in titles if without_formulas(title) not in said] == []
        assert article.count("def ") == 0 or solutions
    assert ('class="solution' in article) is solutions
    assert ("Solution to" in said) is solutions


def test_a_lecture_and_problems_are_printed(built, site, browser, tmp_path):
    with Printer(browser) as printer:
        lecture = printer.page(site / f"{LECTURES[0]}.html", tmp_path / "lecture.pdf")
        made = handouts.problems(built, CHAPTER, LECTURES, solutions=True)
        printed = printer.text(made, tmp_path / "problems.pdf")
    for path, least in ((lecture, 8), (printed, 8)):
        pdf = path.read_bytes()
        assert faults_of(pdf) == []
        assert least <= pages_of(pdf) <= 60
        assert len(re.findall(rb"/Subtype\s*/Link", pdf)) > 3
    assert not printed.with_suffix(".html").exists()


def test_a_lack_is_noticed():
    font = b"<</Type /FontDescriptor /FontName /A>>"
    faults = faults_of(b"%PDF " + font + b"/URI (file:///here)")
    assert len(faults) == 7


def test_the_book_is_one_document(built):
    """No id twice, and no link that leads to another file or to nothing."""
    html = handouts.whole_book(built)
    article = html[html.index(handouts.ARTICLE) : html.rindex("</article>")]
    ids = Counter(re.findall(r'<\w+\b[^<>]*?\sid="([^"]+)"', article))
    assert [name for name, count in ids.items() if count > 1] == []
    links = set(re.findall(r'<a\b[^<>]*\shref="([^"]*)"', article))
    inside = {link[1:] for link in links if link.startswith("#")}
    assert len(inside) > 500
    assert sorted(inside - ids.keys()) == []
    assert article.count('class="page-of-book"') == len(built.pages)
    assert 'class="solution' not in article
