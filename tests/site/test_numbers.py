"""A notebook calls a theorem, an equation or an exercise by the number it has on the site."""

import pytest
from book_site import ROOT, read
from labels import read_book

NUMBERED = {name: label for name, label in read_book(ROOT).labels.items() if label.number}


@pytest.mark.parametrize("name", NUMBERED)
def test_number_is_the_one_on_the_site(name, site):
    label = NUMBERED[name]
    page = read(site, label.page)
    anchors = (f"equation-{name}",) if label.kind == "equation" else (name, name.replace("_", "-"))
    place = next(filter(None, (page.find(id=anchor) for anchor in anchors)), None)
    assert place is not None, f"{label.page}.html has no {name}"
    number = place.select_one(".eqno, .caption-number, figcaption .caption-number")
    assert number is not None, f"{name} bears no number on the site"
    shown = number.get_text().replace("#", "").replace("¶", "").strip(" ().")
    assert shown.split()[-1] == label.number


def test_there_is_something_to_compare():
    assert {label.kind for label in NUMBERED.values()} >= {"equation", "theorem", "exercise"}
