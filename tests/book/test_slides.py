"""The texts of the slides: a deck for each lecture, and no number that the lecture has not."""

from pathlib import Path

import decks
import pytest
import yaml
from labels import FRONT_MATTER, chapters
from prose_numbers import numbers_in, prose

ROOT = Path(__file__).parents[2]
DECKS = decks.sources()
NUMBERED = {
    lecture
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    if part.get("numbered")
    for lectures in chapters(part).values()
    for lecture in lectures
}


def test_every_lecture_has_slides():
    assert set(DECKS) == NUMBERED


@pytest.mark.parametrize("page", DECKS)
def test_numbers_on_slides_stand_in_the_lecture(page):
    """What is in the lecture's prose is asserted there (test_prose.py)."""
    lecture = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    known = {
        number.value
        for paragraph in prose(FRONT_MATTER.sub("", lecture).splitlines())
        for number in numbers_in(paragraph)
    }
    new = [n for n in numbers_in(DECKS[page].read_text("utf-8")) if n.value not in known]
    assert [f"{number.text}: {number.context}" for number in new] == []


@pytest.mark.parametrize("page", DECKS)
def test_who_speaks_of_a_paper_names_it(page):
    """On a slide nobody can look up which one was named a page ago."""
    assert "the paper" not in DECKS[page].read_text("utf-8").casefold()


@pytest.mark.parametrize("page", DECKS)
def test_decks_are_lectures(page):
    """A question, a figure or a claim, an exercise, what to remember; ten to twenty slides."""
    deck = decks.read_deck(DECKS[page], page)
    shown = [name for slide in deck.slides for name in slide.shown()]
    assert 9 <= len(deck.slides) + 1 <= 20
    assert "?" in deck.question.title
    assert any(name.startswith("fig-") for name in shown)
    assert any(name.startswith("ex-") for name in shown)
    assert deck.slides[-1].shown() == ["what-to-remember"]
