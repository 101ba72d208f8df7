"""Formulas as the build sets them, without a page around them."""

import re
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import book_formulas
import formulas
import pytest
from book_site import ROOT
from docutils import nodes
from formulas import (
    AT_ONCE,
    FormulaError,
    Setter,
    css_text,
    letters_of_fonts,
    set_formula,
    set_formulas_in,
)
from small_book import CONFIG, SmallBook
from sphinx import addnodes

TEXT = r"<p title='\(t\)'>If \(a &lt; b\), then <code>\(c\)</code> or \[\sum_k d_k\]</p>"


def test_a_formula_comes_with_its_mathml():
    line, own = set_formula(r"\frac{x}{2}"), set_formula(r"\frac{x}{2}", display=True)
    assert line.startswith('<span class="math')
    assert own.startswith('<div class="math')
    assert "<mfrac><mi>x</mi>" in line
    assert 'display="true"' in own


def test_a_long_formula_is_marked_as_one():
    assert " long" not in set_formula("x = y")
    assert " long" in set_formula("+".join("x" * 12))


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\nosuchmacro", "Undefined control sequence"),
        (r"\frac{1}{", "Missing close brace"),
        (r"\text{漢}", "a letter that the fonts"),
        (r"\newcommand{\R}{\mathbb R} \R", "Undefined control sequence"),
    ],
)
def test_what_cannot_be_set_is_refused(tex, said):
    with pytest.raises(FormulaError, match=said):
        set_formula(tex)


def test_only_text_is_set_and_a_comma_stays_with_its_formula():
    html = set_formulas_in(TEXT)
    assert html.count("<mjx-container") == 2
    assert r"title='\(t\)'" in html
    assert r"<code>\(c\)</code>" in html
    assert re.search(r'<span class="unbroken"><span class="math.*?</span>,</span> then', html)
    assert "<mo>&lt;</mo>" in html
    with pytest.raises(FormulaError, match=r"\\no: Undefined"):
        set_formulas_in(r"<p>\(\no\)</p>")


def test_what_was_set_is_kept(tmp_path, monkeypatch):
    first, file = Setter(tmp_path / "_build/kept.json"), tmp_path / "_build/kept.json"
    set_once = first.set("x+1")
    first.save()
    again = Setter(file)
    monkeypatch.setattr(again, "_engine", None, raising=False)
    assert again.set("x+1") == set_once
    monkeypatch.setattr(formulas, "version", lambda: "another")
    assert Setter(file).known == {}


def test_style_sheet_has_every_letter_that_is_used_and_no_more(tmp_path):
    from fontTools.ttLib import TTFont

    setter = Setter()
    shown = setter.set(r"\theta \{ \mathbb{R} \ge \big\}").html
    setter.write_style(tmp_path)
    style = (tmp_path / "mathjax.css").read_text()
    assert style.count("{\n") == style.count("\n}")
    for letter in re.findall(r'mjx-c class="([^"]*)"', shown):
        assert f"mjx-c.{letter.replace(' ', '.')}::before" in style
    assert "mjx-c1D6FC" not in style, "there is no alpha"
    sources = re.findall(r'url\("([^"]*)"', style)
    inside = [source for source in sources if source.startswith("data:")]
    assert len(inside) == len(AT_ONCE)
    assert {*sources} - {*inside} == {path.name for path in tmp_path.glob("*.woff")}
    fonts = [b64decode(source.partition(",")[2]) for source in inside]
    letters = [TTFont(BytesIO(font)).getBestCmap() for font in fonts]
    assert any(ord("θ") in known for known in letters)
    assert not any(ord("α") in known for known in letters)
    assert css_text(r"\3B8") == "θ"


LINES = r"""<p>A line with \(w_\theta\), with \(\hat w(t)\in\mathbb R^d_+\), and a stop \(.\)</p>
<p>Of \(\frac{\langle x_i,w\rangle}{\lVert w\rVert^2}\) and of \(\sqrt{\sum_k u_k}\) in a line,
with \(\mathcal L=\bigl(\mathbf x\bigr)\)</p>
\[\Bigl\{\max_{k\le n}\int_0^t \overline{\dot w}\,ds\Bigr\} \begin{cases}a&b\\c&d\end{cases}\]"""
SIZES = """[...document.querySelectorAll('p, div.math, mjx-math, mjx-c')].map(e => {
    const {x, y, width, height} = e.getBoundingClientRect();
    return [x, y, width, height].map(v => Math.round(100 * v) / 100).join(' ');
})"""
LOADED = (
    "[...document.fonts].filter(f => f.family !== 'MJXWAITING' && f.status === 'loaded').length"
)


def test_nothing_jumps_when_the_fonts_of_formulas_are_read(tmp_path, browser):
    html = set_formulas_in(LINES)
    formulas.setter.write_style(tmp_path)
    style = (tmp_path / "mathjax.css").read_text()
    unread = re.sub(r'url\("[^"]*"\)', 'url("http://nowhere.test/font.woff")', style)
    sizes, loaded = [], []
    for sheet in (style, unread):
        page = browser.new_page(viewport={"width": 600, "height": 600})
        page.route("http://nowhere.test/**", lambda route: None)  # it is asked for, and never comes
        body = f"<style>{sheet} p {{font: 16px/1.65 sans-serif}}</style>{html}"
        page.set_content(f"<!doctype html>{body}", wait_until="commit")
        page.wait_for_selector("div.math mjx-c")
        if sheet is style:
            page.evaluate("document.fonts.ready.then(() => 0)")
        sizes.append(page.evaluate(SIZES))
        loaded.append(page.evaluate(LOADED))
        page.close()
    assert loaded[0] >= 5
    assert loaded[1] == 0
    assert len(sizes[0]) > 60
    assert sizes[0] == sizes[1]


def test_a_font_has_what_is_written_in_it():
    rules = [
        'mjx-c.mjx-c1D6FC.TEX-I::before {\n  content: "\\3B1";\n}',
        'mjx-c.mjx-c28::before {\n  content: "(";\n}',
        'mjx-stretchy-v.mjx-c28 mjx-beg mjx-c::before {\n  content: "\\239B";\n}',
        "mjx-stretchy-v mjx-c {\n  font-family: MJXTEX-S4, MJXTEX ! important;\n}",
    ]
    letters = letters_of_fonts("\n".join(rules))
    shown = {name: letters[name] for name in ("MJXTEX-I", "MJXTEX", "MJXTEX-S4")}
    assert shown == {"MJXTEX-I": "α", "MJXTEX": "(⎛", "MJXTEX-S4": "⎛"}


@pytest.mark.parametrize(("width", "of_docstring"), [(33, True), (31, True), (33, False)])
def test_a_docstring_s_formula_that_is_too_wide_is_seen(width, of_docstring):
    node = nodes.math_block()
    entry = addnodes.desc() if of_docstring else nodes.section()
    entry += addnodes.desc_content("", node)
    seen = book_formulas.too_wide(node, formulas.Formula("", width))
    assert seen == (width > 32 and of_docstring)


@pytest.mark.slow
def test_a_formula_that_cannot_be_set_fails_the_build(tmp_path):
    book = SmallBook(tmp_path)
    (tmp_path / "_config.yml").write_text(
        CONFIG.replace("{book_execution:", "{book_formulas: book/_ext, book_execution:")
        + "  config: {html_math_renderer: set}\n"
    )
    for name in ("book_formulas.py", "formulas.py", "formulas.js", "vendor"):
        (tmp_path / "book/_ext" / name).symlink_to(ROOT / "book/_ext" / name)
    book.page.write_text("# Page\n\nGood: $x_1$, **$y$**.\n\n$$ \\wrong $$\n")
    answer = book.build()
    assert answer.returncode != 0
    assert r"page.md:5: WARNING: formula not understood: \wrong: Undefined" in answer.stderr
    assert book.html().count('<span class="unbroken">') == 2


def test_an_engine_serves_any_thread_and_lets_the_program_end() -> None:
    # Where processors lock memory by thread, the program crashed when it had done everything.
    program = "import formulas; print(formulas.engine_in_the_background().eval('6 * 7'))"
    place = Path(formulas.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=place, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
