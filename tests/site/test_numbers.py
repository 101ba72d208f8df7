"""A notebook calls a theorem, an equation or an exercise by the number it has on the site."""

import pytest
from book_site import ROOT, read
from labels import read_book

NUMBERED = {name: label for name, label in read_book(ROOT).labels.items() if label.number}


def fault_of(name, places):
    """What is wrong with the number of a label, among the places of its page by their ids."""
    label = NUMBERED[name]
    anchors = (f"equation-{name}",) if label.kind == "equation" else (name, name.replace("_", "-"))
    place = next(filter(None, map(places.get, anchors)), None)
    if place is None:
        return f"the page has no {name}"
    number = place.select_one(".eqno, .caption-number, figcaption .caption-number")
    if number is None:
        return f"{name} bears no number on the site"
    shown = number.get_text().replace("#", "").replace("¶", "").strip(" ().").split()[-1]
    return f"{name} is {shown}, not {label.number}" if shown != label.number else ""


@pytest.mark.parametrize("page", sorted({label.page for label in NUMBERED.values()}))
def test_numbers_are_those_on_the_site(page, site):
    places = {place["id"]: place for place in read(site, page).select("[id]")}
    names = [name for name, label in NUMBERED.items() if label.page == page]
    assert list(filter(None, (fault_of(name, places) for name in names))) == []
    assert fault_of(names[0], {}), "a place that is not there is missed"


def test_there_is_something_to_compare():
    assert {label.kind for label in NUMBERED.values()} >= {"equation", "theorem", "exercise"}
