"""`book/notation.md` says what is used, and what is used it says."""

import re

import pytest
from labels import FRONT_MATTER, read_book
from pages import ROOT, chapter_of, section, source

PAGES = list(read_book(ROOT).titles)
SECTIONS = {
    "before": ("Potentials",),
    "imd": ("Potentials", "Diagonal networks"),
    "warping": ("Potentials", "Diagonal networks", "Neurons and fully connected nets"),
    "homogeneous-margins": ("Margins",),
    "non-homogeneous-nets": ("Margins", "Non-homogeneous networks"),
    "two-layer-relu": ("Margins", "Two-layer networks"),
}
EVERYWHERE = ("Data and models", "Operators")

# Letters that the papers, and the parts of the book, use for several things.
GREEK = {name: rf"\\{name}(?![a-zA-Z])" for name in ("rho", "lambda", "tau")}
LATIN = {name: rf"(?<![A-Za-z\\]){name}(?![A-Za-z])" for name in "hstpq"}
LETTERS = GREEK | LATIN
NO_LETTER = re.compile(
    r"\\lambda_\{?\\(?:max|min)\}?|"  # the extreme eigenvalues, everywhere
    r"\\(?:text|operatorname|mathrm|begin|end|label|tag)\*?\{[^}]*\}"
    r"|_\{[^{}]*\}|_\\?\w+"  # an index
    r"|\\(?:tilde|hat|bar|check)\s*\{?\\?[a-zA-Z]+\}?"  # decorated, it is another symbol
)


def formulas(text: str) -> list[str]:
    """What stands between dollars, outside of code."""
    text = re.sub(r"^ *```.*?^ *```", "", FRONT_MATTER.sub("", text), flags=re.S | re.M)
    found = re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$", re.sub(r"`[^`]*`", "", text), re.S)
    return [display or inline for display, inline in found]


def letters(maths: list[str]) -> set[str]:
    plain = " ".join(NO_LETTER.sub(" ", formula) for formula in maths)
    return {name for name, pattern in LETTERS.items() if re.search(pattern, plain)}


def symbols(sections: tuple[str, ...]) -> list[str]:
    """First columns of the tables of these sections, as formulas."""
    text, found = source("book/notation"), []
    for title in sections:
        rows = re.findall(r"^\| (\$.*?) \| ", section(text, title), re.MULTILINE)
        found += [formula for row in rows for formula in formulas(row)]
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if chapter_of(page) in SECTIONS])
def test_a_letter_with_several_meanings_is_declared(page: str) -> None:
    text = source(page)
    declared = letters(symbols((*EVERYWHERE, *SECTIONS[chapter_of(page)])))
    declared |= letters(
        formulas("\n".join(re.findall(r"^\*\*Letters\.\*\*.*?\n\n", text, re.S | re.M)))
    )
    assert letters(formulas(text)) - declared == set(), (
        "say what it means in book/notation.md, or at the head of the lecture: **Letters.** ..."
    )


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "before"])
def test_symbols_of_the_notation_are_used(name: str) -> None:
    pages = [page for page in PAGES if chapter_of(page) == name]
    used = re.sub(r"\s", "", " ".join(formulas("\n".join(map(source, pages)))))
    own = SECTIONS[name][-1]
    unused = []
    for symbol in symbols((own,)):
        base = re.split(r"\\in(?![a-z])|\\le(?![a-z])|=|<|:|,|\(", re.sub(r"\s", "", symbol))[0]
        if base and base not in used:
            unused.append(symbol)
    assert unused == []


def test_a_sample_has_no_index_that_is_their_number() -> None:
    found = [
        f"{path.name}: {index[0]}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for index in re.finditer(r"\w+ₙ.{,20}", path.read_text(encoding="utf-8"))
    ]
    assert not found, f"n is the number of samples; one of them is j: {found}"
