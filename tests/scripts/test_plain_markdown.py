"""MyST Markdown in the plain Markdown that Jupyter and Colab show."""

import re
import textwrap

import pytest
from citations import ROOT, cite, list_works, read_bibliography
from hypothesis import given
from hypothesis import strategies as st
from labels import read_book
from plain_markdown import NoTranslationError, Translator
from pybtex.database import parse_string

BIBLIOGRAPHY = """
@article{one, title={A}, author={Lyu, Kaifeng and Li, Jian}, year={2020}, journal={J},
         doi={10.1/x}}
@article{three, title={B}, author={Woodworth, Blake and van der Berg, A. and C, D.},
         year={2021}, journal={J}}
"""
PAGES = {
    "book/intro": "# Start\n",
    "book/other": "# The other page\n\n:::{prf:theorem}\n:label: thm-far\nX.\n:::\n\n$$x$$ (far)\n",
    "book/here": "",
}
TOC = """
root: book/intro
parts:
  - caption: Lectures
    numbered: true
    chapters: [{file: book/other}, {file: book/here}]
"""


def translator(root, text):
    (root / "book").mkdir(exist_ok=True)
    (root / "_toc.yml").write_text(TOC)
    for page, content in {**PAGES, "book/here": text}.items():
        (root / f"{page}.md").write_text(content)
    bibliography = parse_string(BIBLIOGRAPHY, "bibtex")
    return Translator("book/here", read_book(root), bibliography, {"book/other", "book/here"})


@pytest.fixture
def plain(tmp_path):
    """Translate the text of the page book/here."""

    def translate(text):
        text = textwrap.dedent(text)
        return translator(tmp_path, text).translate(text)

    return translate


def test_prose_stays_as_it_is(plain):
    text = "# Title\n\nProse with *emphasis*, `code`, $x_1$ and\n\n- a list\n- of two"
    assert plain(text) == text


def test_theorem_is_a_quotation_with_a_bold_heading(plain):
    text = """
    :::{prf:theorem} Limit of $w$
    :label: thm
    Let $a
    = 1$. Then
    $$
    x &= 1
    $$ (eq)
    :::
    """
    assert plain(text).splitlines() == [
        "> **Theorem 2.1 (Limit of $w$)**",
        ">",
        "> Let $a = 1$. Then",
        ">",
        r"> $$ x &= 1 \tag{2.1} $$",
    ]


def test_comments_in_formulas_do_not_swallow_what_follows(plain):
    assert r"> $$ x = 1\% \tag{2.1} $$" in plain(":::{note}\n$$\nx = % why\n1\\%\n$$ (eq)\n:::")


def test_kinds_are_counted_apart_and_nonumber_is_not_counted(plain):
    text = """
    :::{prf:lemma}
    A
    :::
    :::{prf:theorem}
    :nonumber:
    B
    :::
    :::{prf:theorem}
    C
    :::
    """
    assert re.findall(r"\*\*(.*)\*\*", plain(text)) == ["Lemma 2.1", "Theorem", "Theorem 2.1"]


def test_proof_ends_with_its_sign(plain):
    assert plain("```{prf:proof}\nClear.\n```") == "*Proof.*\n\nClear.\n\n∎"


def test_folded_solution_becomes_details(plain):
    text = """
    :::{exercise} By hand
    :label: ex
    Show it.
    :::

    ::::{solution} ex
    :class: dropdown
    As follows.

    ```{math}
    :label: sol
    a = b
    ```
    ::::
    """
    assert plain(text) == textwrap.dedent(
        r"""
        **Exercise 2.1 (By hand)**

        Show it.

        <details>
        <summary>Solution to Exercise 2.1</summary>

        As follows.

        $$
        a = b
        \tag{2.1}
        $$

        </details>"""
    ).strip("\n")


def test_references_become_words_and_those_to_other_pages_links(plain):
    text = """
    (sec)=
    # Here

    {prf:ref}`thm-far`, {eq}`far`, {ref}`sec`, {ref}`this <sec>`, {doc}`other`, [](other.md),
    [text](other.md#x), [t](#thm-far), {numref}`Satz %s <thm-far>`, `{eq}` and $[a](b)$.
    """
    assert plain(text) == textwrap.dedent(
        """
        # Here

        [Theorem 1.1](other.ipynb), [(1.1)](other.ipynb), Here, this, """
        """[The other page](other.ipynb), [The other page](other.ipynb),
        [text](other.ipynb), [t](other.ipynb), [Satz 1.1](other.ipynb), `{eq}` and $[a](b)$."""
    ).strip("\n")


def test_citations_by_author_and_year(plain):
    assert plain("{cite:t}`one`; {cite:p}`three`; {cite:p}`one,three`") == (
        r"[Lyu and Li \[2020\]](https://doi.org/10.1/x); (Woodworth et al., 2021); "
        "([Lyu and Li, 2020](https://doi.org/10.1/x); Woodworth et al., 2021)"
    )


def test_no_work_of_the_book_is_cited_in_the_letters_of_tex():
    bibliography = read_bibliography(ROOT / "book" / "references.bib")
    works = set(bibliography.entries)
    shown = [cite(bibliography, work, in_sentence=True) for work in sorted(works)]
    shown += list_works(bibliography, works)
    assert len(shown) > 100
    assert [line for line in shown if re.search(r"[{}$]|\\[A-Za-z\"'`^]", line)] == []


def test_admonitions_and_dropdowns(plain):
    assert plain(":::{note}\nText\n:::") == "> **Note**\n>\n> Text"
    assert plain(":::{admonition} Why?\nText\n:::") == "> **Why?**\n>\n> Text"
    folded = "<details>\n<summary>Why?</summary>\n\nText\n\n</details>"
    assert plain(":::{dropdown} Why?\nText\n:::") == folded
    assert plain(":::{admonition} Why?\n:class: tip dropdown\nText\n:::") == folded


def test_nested_fences_of_both_kinds(plain):
    text = "::::{note}\n```{tip}\nInner $x$\n```\n:::{prf:lemma}\nL\n:::\n::::"
    assert plain(text).splitlines() == [
        "> **Note**", ">", "> > **Tip**", "> >", "> > Inner $x$", ">",
        "> > **Lemma 2.1**", "> >", "> > L",
    ]  # fmt: skip


def test_several_lines_of_a_formula_are_split_as_on_the_site(plain):
    assert plain("$$\na &= b \\\\\n  &= c\n$$") == (
        "$$\n\\begin{split}a &= b \\\\\n&= c\\end{split}\n$$"
    )
    aligned = "$$\n\\begin{aligned}\na &= b \\\\\n&= c\n\\end{aligned}\n$$"
    assert plain(aligned) == aligned


def test_figures_keep_picture_and_caption(plain):
    text = "```{figure} a.svg\n:name: fig\n:alt: A curve that falls\nThe *loss*.\n```\n\n{ref}`fig`"
    assert (
        plain(text) == "![A curve that falls](a.svg)\n\n**Figure 2.1.** The *loss*.\n\nFigure 2.1"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("```{raw} html\n<b>\n```", "{raw}"),
        (":::{note}\n:::{glue} x\n:::\n:::".replace(":::{note}", "::::{note}") + ":", "{glue}"),
        ("{py:obj}`x`", "{py:obj}"),
        ("term\n: definition", ": definition"),
        ("\\begin{align}\nx\n\\end{align}", r"\begin{align}"),
    ],
)
def test_what_has_no_translation_is_an_error_that_names_it(plain, text, named):
    with pytest.raises(NoTranslationError, match=re.escape(named)) as caught:
        plain(text)
    assert "book/here.md" in str(caught.value)


@pytest.mark.parametrize("text", ["{eq}`none`", "{prf:ref}`none`", "{cite:t}`none`"])
def test_a_label_that_no_page_defines_is_an_error(plain, text):
    with pytest.raises(ValueError, match="'none'"):
        plain(text)


INLINE = st.sampled_from(
    ["word", "*e*", "`{eq}`", "$a_{1}$", "{eq}`far`", "{prf:ref}`thm-far`", "{cite:p}`one`", "\n"]
)
BLOCK = st.sampled_from(
    [
        ":::{{prf:theorem}} T\n{}\n:::",
        "```{{note}}\n{}\n```",
        ":::{{admonition}} A\n:class: dropdown\n{}\n:::",
        "$$ x = {{1}} $$\n\n{}",
        "- {}",
        "{}",
    ]
)


@given(st.lists(st.tuples(BLOCK, st.lists(INLINE, min_size=1)), max_size=6))
def test_no_directive_is_left_and_fences_and_folds_are_closed(tmp_path_factory, parts):
    text = "\n\n".join(block.format(" ".join(inside)) for block, inside in parts)
    plain = translator(tmp_path_factory.mktemp("book"), text).translate(text)
    rest = plain.replace("`{eq}`", "")
    assert not re.search(r"\{[a-z:]+\}`|:::|```", rest)
    assert plain.count("<details>") == plain.count("</details>")
    assert plain.count("$$") % 2 == 0
