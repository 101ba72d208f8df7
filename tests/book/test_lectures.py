"""Chapters and lectures have the shape that a reader, and a lecturer, counts on."""

import re

import pytest
from blocks import Directive, MathBlock, Text, parse
from kinds import KINDS, read_kind
from labels import FRONT_MATTER, PROOF_KINDS, description, read_book
from lectures import prose
from pages import ROOT, section, source

from ibtools.claims import CLAIMS

BOOK = read_book(ROOT)
CHAPTERS = BOOK.lectures
LECTURES = [page for pages in CHAPTERS.values() for page in pages]
PRIMERS = [page for page in BOOK.titles if page.startswith("book/before/")]
SITTINGS = [*PRIMERS, *LECTURES]
MOST_WORDS = 3500
LEAST_WORDS = 1200
MAPPED = {"theorem", "proposition", "corollary", "lemma"}
CELL = re.compile(r"^```\{code-cell\}.*?^```", re.DOTALL | re.MULTILINE)
ITEM = re.compile(r"(?:[-*]|\d+\\?\.|\(\w\)) ")
NO_SENTENCE = re.compile(rf"#|\||\(\S+\)=|\{{kind\}}`|$|{ITEM.pattern}")
STATEMENT = re.compile(
    r"^:::\{exercise\}[^\n]*\n:label: (?P<label>\S+)\n(?P<body>.*?)^:::$(?P<after>.{,40})",
    re.DOTALL | re.MULTILINE,
)


def directives(lines: list[str]) -> list[Directive]:
    found = [block for block in parse(lines) if isinstance(block, Directive)]
    return found + [inner for block in found for inner in directives(block.body)]


def on_page(page: str) -> list[Directive]:
    return directives(FRONT_MATTER.sub("", source(page)).splitlines())


def test_the_five_chapters_have_lectures() -> None:
    assert len(CHAPTERS) == 5
    # Seven, and one that draws the kept runs at real size beside them.
    assert all(3 <= len(pages) <= 8 for pages in CHAPTERS.values())
    assert len(PRIMERS) == 2


@pytest.mark.parametrize("page", SITTINGS)
def test_a_lecture_is_one_sitting(page: str) -> None:
    words, _ = prose(source(page))
    assert LEAST_WORDS <= words <= MOST_WORDS


@pytest.mark.parametrize("page", [*SITTINGS, *CHAPTERS])
def test_a_page_says_in_a_sentence_what_it_shows(page: str) -> None:
    text = description(source(page))
    assert 50 <= len(text) <= 170
    assert text.endswith(".")
    assert not re.search(r"[$`{}\\*]", text), "plain text: it stands in the page's head"


@pytest.mark.parametrize("page", SITTINGS)
def test_a_lecture_ends_with_what_to_remember_and_exercises(page: str) -> None:
    text = source(page)
    points = re.findall(r"^[-*] ", section(text, "What to remember"), re.MULTILINE)
    assert 3 <= len(points) <= 5
    assert 2 <= len(STATEMENT.findall(section(text, "Exercises"))) <= 5
    assert re.search(rf"^\(lec-{page.removeprefix('book/').replace('/', '-')}\)=$", text, re.M)


@pytest.mark.parametrize("page", SITTINGS)
def test_an_exercise_says_its_kind_and_gives_a_hint(page: str) -> None:
    for exercise in STATEMENT.finditer(source(page)):
        label, first = exercise["label"], exercise["body"].lstrip().splitlines()[0]
        kind = re.match(r"\{kind\}`([^`]*)`", first)
        assert kind, f"{label} does not begin with its kind: {first!r}"
        read_kind(kind[1])
        assert exercise["after"].strip().startswith(":::{hint}"), f"{label} has no hint after it"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_exercises_of_all_kinds_and_one_project(chapter: str) -> None:
    asked = re.findall(r"\{kind\}`(\S+) \d`", "".join(map(source, CHAPTERS[chapter])))
    assert set(asked) == set(KINDS)
    assert asked.count("project") == 1


def cells_of(page: str) -> str:
    return "\n".join(CELL.findall(source(page)))


FIGURES = [
    p for p in BOOK.titles if re.search(r"^(?:explore|picture|live_figure)\(", cells_of(p), re.M)
]


@pytest.mark.parametrize("page", FIGURES)
def test_every_figure_has_a_name_a_caption_and_a_number(page: str) -> None:
    cells = [
        c
        for c in CELL.findall(source(page))
        if re.search(r"^(?:explore|picture|live_figure)\(", c, re.M)
    ]
    named = {
        name: label
        for name, label in BOOK.labels.items()
        if label.kind == "figure" and label.page == page
    }
    assert len(named) == len(cells)
    for cell in cells:
        names = [name for name in named if f'anchor="{name}"' in cell]
        assert len(names) == 1
        assert named[names[0]].number
        assert len(named[names[0]].title.split()) >= 8, "it says what is drawn, and what to see"
        assert named[names[0]].title.endswith(".")


def test_names_of_figures_differ() -> None:
    anchors = re.findall(r'anchor="(fig-[^"]+)"', "".join(map(cells_of, BOOK.titles)))
    assert len(anchors) == len(set(anchors)) > 70


MOVING = [
    page
    for page in SITTINGS
    if re.search(r"^(explore|live_figure)\(", cells_of(page), re.MULTILINE)
]


@pytest.mark.parametrize("page", MOVING)
def test_a_figure_that_moves_is_asked_about_first_and_has_presets(page: str) -> None:
    cells = cells_of(page)
    boxes = [
        block
        for block in on_page(page)
        if block.name == "admonition" and "predict" in block.options.get("class", "")
    ]
    assert boxes
    assert all(block.argument in ("Before you move it", "Before you look") for block in boxes)
    assert re.search(r"^ +presets=", cells, re.MULTILINE)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_map_of_a_chapter_has_all_its_theorems(chapter: str) -> None:
    mapped = re.findall(
        r"\{prf:ref\}`(?:[^`<]*<)?([\w-]+)>?`", section(source(chapter), "The theorems")
    )
    there = [
        name
        for name, label in BOOK.labels.items()
        if label.page in CHAPTERS[chapter] and label.kind in MAPPED
    ]
    named = {name for name in mapped if BOOK.labels[name].kind in MAPPED}
    assert sorted(named) == sorted(there)
    for row in re.findall(r"^\|.*\|$", section(source(chapter), "The theorems"), re.MULTILINE)[2:]:
        assert re.search(r"proven here|cited|measured only", row), row


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_front_page_proves_nothing_and_shows_the_way(chapter: str) -> None:
    kinds = [block.name for block in on_page(chapter)]
    assert kinds.count("lectures") == 1
    assert not [kind for kind in kinds if kind.removeprefix("prf:") in PROOF_KINDS | {"proof"}]
    for title in ("The lectures", "The theorems", "Afterwards you can", "What you should know"):
        assert section(source(chapter), title).strip(), f"no section {title!r}"


def test_every_claim_is_shown_on_a_page() -> None:
    cells = "\n".join(map(cells_of, BOOK.titles))
    asked = set(re.findall(r"\b(\w+\.\w+)\.check\(\)", cells))
    names = {
        claim.id: f"{claim.compare.__module__.rpartition('.')[2]}.{claim.compare.__name__}"
        for claim in CLAIMS
    }
    assert [identity for identity, name in names.items() if name not in asked] == []


def test_a_claim_names_a_theorem_of_the_book() -> None:
    named = {claim.id: claim.theorem for claim in CLAIMS if claim.theorem is not None}
    kinds = {name: label.kind for name, label in BOOK.labels.items()}
    assert {i: name for i, name in named.items() if kinds.get(name) not in PROOF_KINDS} == {}
    assert len(named) > len(CLAIMS) * 3 / 4


@pytest.mark.parametrize("page", BOOK.titles)
def test_no_list_is_broken_by_what_stands_in_it(page: str) -> None:
    """A formula at the margin ends the list, and the next number is a word in a paragraph."""
    broken, last, ended, blank = [], 0, False, True
    for line in source(page).splitlines():
        number = re.match(r"(\d+)\. \S", line)
        if number and int(number[1]) == last + 1 > 1 and ended and not blank:
            broken.append(line)
        if number:
            last, ended = int(number[1]), False
        elif line.startswith("$$"):
            ended = True
        blank = not line.strip()
    assert broken == []


def broken_off(lines: list[str]) -> list[str]:
    """The paragraphs that end within a sentence, though no formula and no list goes on with it."""
    found, blocks = [], list(parse(lines))
    for block, after in zip(blocks, [*blocks[1:], None], strict=False):
        if isinstance(block, Directive) and block.name != "code-cell":
            found += broken_off(block.body)
        if not isinstance(block, Text):
            continue
        paragraphs = re.split(r"\n\s*\n", "\n".join(block.lines).strip())
        for text, following in zip(paragraphs, [*paragraphs[1:], None], strict=True):
            goes_on = isinstance(after, MathBlock) if following is None else ITEM.match(following)
            if not (goes_on or NO_SENTENCE.match(text) or re.search(r"[.:?!][*_)`]*$", text)):
                found.append(text)
    return found


@pytest.mark.parametrize("page", [*SITTINGS, *CHAPTERS])
def test_no_sentence_is_broken_off(page: str) -> None:
    assert broken_off(FRONT_MATTER.sub("", source(page)).splitlines()) == []


def test_a_sentence_that_is_broken_off_is_found() -> None:
    text = (
        "# One\n\nAll is well.\n\nBoth margins, and below;\n\n```{code-cell}\nx = 1\n```\n\n"
        "So\n\n$$\na\n$$\n\nfor all. (*Why?*) Then\n\n1. it ends\n\n:::{note}\nThe sum of\n:::\n"
    )
    assert broken_off(text.splitlines()) == ["Both margins, and below;", "The sum of"]


def test_words_are_counted_and_code_and_folded_text_are_not() -> None:
    text = (
        "---\na: b\n---\n# One two\n\nthree $x + y$ four.\n\n$$\na\n$$\n\n"
        "```{code-cell}\nnot this\n```\n\n"
        ":::{solution} x\n:class: dropdown\nnor this\n:::\n\n:::{note}\nfive six\n:::\n"
    )
    assert prose(text) == (8, 1)
