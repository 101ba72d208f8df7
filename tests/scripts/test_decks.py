"""Decks from a small site: what is taken from its pages, and what is told of a faulty text."""

import decks
import pytest
from built_page import BuiltSite, element_at

PAGE = """<h1>Bare</h1><span id="lec-a"></span>
<h1><span class="section-number">2.1. </span>Levels<a class="headerlink" href="#a">#</a></h1>
<div class="proof theorem admonition" id="thm-one"><p class="admonition-title">
<span class="caption-number">Theorem 2.1 </span> (One)</p>
<section class="theorem-content" id="proof-content">
<p>Let <a href="b.html#thm-b">Theorem 2.7</a>.</p>
<div class="math" id="equation-eq-one">
<span class="eqno">(2.3)<a class="headerlink" href="#">#</a></span>
<b>x</b></div>
<p>Then <div>nested</div> it holds.</p></section></div>
<div class="claim-box" id="claim-imd-kernel-limit"><p>holds</p>
<details class="claim-call">c</details></div>
<figure class="ib-figure" id="fig-levels"><div class="ib-picture"></div>
<figcaption><span class="ib-number caption-number">Figure 2.4.</span>
<span class="ib-caption">Levels.</span> <span class="ib-setting">k = 1</span></figcaption></figure>
<section id="what-to-remember"><h2>What to remember</h2><ul><li>That.</li></ul></section>
"""
DECK = "# Why?\n\n## One\n\n- By @thm-one and @eq-one.\n\n{block}\n\n{notes}\n"


@pytest.fixture
def compose(tmp_path):
    (tmp_path / "book/c").mkdir(parents=True)
    (tmp_path / "book/c/a.html").write_text(PAGE)
    (tmp_path / "book/c/b.html").write_text('<div class="proof" id="thm-b"><p>Far</p></div>')
    site = BuiltSite(tmp_path, ["book/c/a", "book/c/b"])

    def composed(block, notes="Notes: Say $x$.", text=None):
        path = tmp_path / "a.md"
        path.write_text(text or DECK.format(block=block, notes=notes))
        return decks.Composer(site).compose(decks.read_deck(path, "book/c/a"))

    return composed


def test_what_is_named_is_on_the_slide(compose):
    html = compose("@thm-one")
    assert "Lecture 2.1" in html
    assert "By Theorem\N{NO-BREAK SPACE}2.1 and (2.3)." in html
    assert "(One)" in html
    assert "<div>nested</div> it holds" in html
    assert "headerlink" not in html
    assert "b.html" not in html
    assert "Theorem 2.7" in html
    assert "<section" not in html.split("(One)")[1].split("</section>")[0]
    assert "<math>" in html.split('<aside class="notes">')[1]


def test_a_part_of_a_theorem(compose):
    html = compose("@thm-one 2-3")
    assert "(One)" in html
    assert "it holds" in html
    assert "Theorem 2.7" not in html


def test_a_figure_stands_beside_its_words_with_its_caption(compose):
    html = compose("@fig-levels")
    assert '<section class="beside">' in html
    assert 'id="fig-levels"' in html
    text, drawn = html.split('<div class="drawn">')
    assert "Figure 2.4." in text
    assert "Levels." in text
    assert "k = 1" not in html
    assert "figcaption" not in drawn


@pytest.mark.parametrize("block", ["@imd.kernel_limit", "@what-to-remember", "@thm-b"])
def test_claims_sections_and_other_pages(compose, block):
    html = compose(block)
    assert any(word in html for word in ("<p>holds</p>", "<li>That.</li>", "<p>Far</p>"))
    assert "claim-call" not in html
    assert "<h2>What to remember" not in html


@pytest.mark.parametrize(
    ("block", "notes", "told"),
    [
        ("@thm-ono", "Notes: Say.", "'thm-ono'; near it: thm-one"),
        ("@imd.kernel_limits", "Notes: Say.", "near it: imd.kernel_limit"),
        ("see @eq-ona", "Notes: Say.", "near it: eq-one"),
        ("@thm-one", "", "no 'Notes:' for it"),
        ("@fig-levels", "", "no 'Notes:' for it"),
        ("@thm-one 2-9", "Notes: Say.", "it has 3 parts"),
        ("@fig-levels 1-2", "Notes: Say.", "only of a theorem"),
        (r"$\frac{1$", "Notes: Say.", "formula not understood"),
        ("", "Notes: Say.\n\n## Empty\n", "nothing is on this slide"),
        ("", "# Again", "first, then '## title's"),
    ],
)
def test_a_fault_is_told_with_its_place(compose, block, notes, told):
    with pytest.raises(decks.DeckError) as error:
        compose(block, notes)
    assert told in str(error.value)
    assert "a.md:" in str(error.value)


def test_a_deck_begins_with_its_question(compose):
    with pytest.raises(decks.DeckError, match="a deck begins with"):
        compose("", text="words\n")


def test_an_element_that_does_not_end():
    with pytest.raises(ValueError, match="does not end"):
        element_at("<p><p>x</p>", 0)
    with pytest.raises(ValueError, match="no element"):
        element_at("x<p>y</p>", 0)
