"""Cards of lectures, kinds of exercises, old addresses, indices: seen on a book of five pages."""

import json
import shutil

import pytest
from book_site import ROOT
from bs4 import BeautifulSoup
from builder import build

pytestmark = pytest.mark.slow

HEAD = """\
---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, name: python3}
myst:
  html_meta:
    description: "WHAT it shows, in a sentence."
---
"""
FIGURE = """
```{code-cell}
from ibtools.show import figure, picture

fig, ax = figure()
ax.plot([0, 1], [0, HEIGHT])
picture(fig, alt="A line that rises from zero to HEIGHT")
```
"""
PAGES = {
    "book/intro": "# Intro\n\n:::{lectures}\n:::\n",
    "book/chapter": HEAD + "(chap)=\n# Chapter\n\n:::{lectures}\n:::\n\n## Stays\n\nText.\n",
    "book/chapter/one": HEAD
    + FIGURE.replace("HEIGHT", "1").join(["# One $x$\n", ""])
    + "\n## Moved away\n\n:::{prf:theorem} Of {cite:t}`a` and $x$\n:label: thm-one\nSo.\n:::\n"
    "\n$$\nx = 1\n$$ (eq-one)\n\n:::{exercise} Try\n:label: ex-one\n{kind}`find-the-error 2`\n"
    "Where?\n:::\n\n:::{exercise} Tied\n:label: ex-imd-tie\n{kind}`pencil 1`\nWhich?\n:::\n",
    "book/chapter/two": HEAD + "# Two\n\n## New name\n\n" + "word " * 300,
    "book/look-up": "# Look up\n\n```{glossary}\nMargin\n  A distance.\n```\n\n"
    "## Theorems\n\n:::{theorem-list}\n:::\n\n```{bibliography}\n```\n",
}
TOC = """\
format: jb-book
root: book/intro
parts:
  - caption: Lectures
    numbered: 2
    chapters:
      - file: book/chapter
        sections:
          - file: book/chapter/one
          - file: book/chapter/two
  - caption: Look up
    chapters:
      - file: book/look-up
"""
CONFIG = """\
title: Small
only_build_toc_files: true
execute: {execute_notebooks: cache, raise_on_error: true, stderr_output: warn}
parse: {myst_enable_extensions: [colon_fence, dollarmath]}
sphinx:
  extra_extensions: [sphinx_proof, sphinx_exercise, sphinxcontrib.bibtex]
  local_extensions: {book_checks: book/_ext, book_execution: book/_ext, book_lectures: book/_ext}
  config: {bibtex_bibfiles: [book/references.bib]}
"""
WORK = "@article{a, author={Anna Ada}, title={Title}, year=2020, journal={Journal}}\n"
MOVED = {
    "book/chapter": {
        "anchors": ["chap", "stays", "moved-away", "thm-one", "equation-eq-one", "old-name"],
        "renamed": {"old-name": "book/chapter/two#new-name"},
    }
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("lectures")
    (root / "book").mkdir()
    for folder in ("book/_ext", "scripts"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "src/ibtools").mkdir(parents=True)
    (root / "requirements.txt").write_text("")
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(TOC)
    (root / "book/references.bib").write_text(WORK)
    (root / "book/_ext/moved.json").write_text(json.dumps(MOVED))
    for name, text in PAGES.items():
        (root / f"{name}.md").parent.mkdir(exist_ok=True)
        (root / f"{name}.md").write_text(text)
    answer = build(root)
    assert answer.returncode == 0, answer.stderr[-3000:]
    return root


def page(root, name):
    html = (root / f"_build/html/{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser")


def test_lectures_are_cards(root):
    one, two = page(root, "book/chapter").select(".lecture-cards > li")
    assert one.select_one("a")["href"] == "chapter/one.html"
    assert one.select_one("a").get_text().startswith("One")
    assert "WHAT it shows" in one.get_text()
    assert "5 minutes to read" in two.get_text()
    assert one.select_one(".ib-thumbnail[aria-hidden=true] > svg path")
    assert two.select_one(".ib-thumbnail") is None
    assert "seconds to run" in one.get_text()
    ids = [element["id"] for element in page(root, "book/chapter").select("[id]")]
    assert len(ids) == len(set(ids))


def test_a_checked_exercise_tells_how_to_hand_an_answer_in(root):
    plain, checked = page(root, "book/chapter/one").select("div.exercise")
    assert plain.select_one(".check-answer") is None
    fold = checked.select_one(".admonition.dropdown.check-answer")
    assert 'check("imd.tie", equal=..., unequal=...)' in fold.select_one("pre").get_text()
    assert [code.get_text() for code in fold.select("li > p > code")] == ["equal", "unequal"]


def test_chapters_are_cards_on_the_front_page(root):
    (chapter,) = page(root, "book/intro").select(".lecture-cards > li")
    assert chapter.select_one("a")["href"] == "chapter.html"
    assert "2 lectures" in chapter.get_text()


def test_lectures_are_numbered_within_their_chapter_and_sections_are_not(root):
    def title(name, tag):
        return page(root, name).select_one(f".bd-article {tag}").get_text().rstrip("#")

    assert title("book/chapter", "h1") == "1. Chapter"
    assert title("book/chapter", "h2") == "Stays"
    assert title("book/chapter/one", "h1").startswith("1.1. One")
    assert title("book/chapter/one", "h2") == "Moved away"
    assert title("book/chapter/two", "h1") == "1.2. Two"
    beside = page(root, "book/chapter").select_one(".bd-sidebar-secondary")
    assert [link.get_text().strip() for link in beside.select("a")] == ["Stays"]


def test_a_page_says_in_its_head_what_it_shows(root):
    meta = page(root, "book/chapter/one").select_one("meta[name=description]")
    assert meta["content"] == "WHAT it shows, in a sentence."


def test_an_exercise_says_what_it_asks_for(root):
    kind = page(root, "book/chapter/one").select_one(".exercise .exercise-kind")
    assert kind.get_text() == "Find the error ●●○"
    assert kind.select_one("[role=img]")["aria-label"] == "difficulty 2 of 3"


def test_old_addresses_lead_to_the_lecture(root, serve, browser):
    address = f"{serve(root / '_build/html')}/book/chapter"
    tab = browser.new_page()
    tab.route("**/*", lambda r: r.continue_() if ".html" in r.request.url else r.abort())
    for old, new in {
        "thm-one": "chapter/one.html#thm-one",
        "equation-eq-one": "chapter/one.html#equation-eq-one",
        "moved-away": "chapter/one.html#moved-away",
        "old-name": "chapter/two.html#new-name",
        "stays": "chapter.html#stays",
    }.items():
        tab.goto("about:blank")
        tab.goto(f"{address}.html#{old}", wait_until="commit")
        tab.wait_for_url(f"**/book/{new}", wait_until="commit")
        tab.wait_for_selector(f"[id='{new.partition('#')[2]}']", state="attached")
    tab.close()


def test_theorems_and_terms_are_listed(root):
    look_up = page(root, "book/look-up")
    entry = look_up.select_one(".theorem-list li a")
    assert entry["href"] == "chapter/one.html#thm-one"
    assert entry.get_text() == "Theorem 1.1"
    assert "Ada" in entry.find_parent("li").get_text()
    assert page(root, "book/intro").select_one("nav a[href$='genindex.html']")
    assert "Margin" in page(root, "genindex").get_text()


def test_what_is_nowhere_fails_the_build(root):
    record = root / "book/_ext/moved.json"
    kept = record.read_text()
    changed = json.loads(kept)
    changed["book/chapter"]["anchors"].append("lost")
    record.write_text(json.dumps(changed))
    two = root / "book/chapter/two.md"
    two.write_text(two.read_text() + "\n{kind}`guess 2`\n")
    answer = build(root)
    record.write_text(kept)
    two.write_text(PAGES["book/chapter/two"])
    assert answer.returncode != 0
    assert "#lost was on this page" in answer.stderr
    assert "got 'guess 2'" in answer.stderr
