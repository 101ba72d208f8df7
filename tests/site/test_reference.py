"""The pages of the reference as they are built: read, not visited, as one template makes them."""

import gzip
import re
from functools import cache

import pytest
from book_site import PAGES, REFERENCE, ROOT, read
from used import imported_by, public

HEAVIEST = 150_000  # bytes, compressed; the rest of a visit is as on any page
RAW = re.compile(
    r":(?:math|py:\w+|func|class|meth|ref):`|^(?:Parameters|Returns|Attributes|Examples)$\n-{3}"
    r"|<\w[\w.]* object at 0x|\bnp\.ndarray\b|Union\[",
    re.M,
)


@cache
def entries(site, page):
    return {tag["id"]: tag for tag in read(site, page).select("dl.py > dt[id]")}


def rooms():
    return [page for page in REFERENCE if not page.endswith("/index")]


def test_each_public_name_has_one_entry_and_no_private_one_has(site):
    found = [name for page in rooms() for name in entries(site, page)]
    assert sorted(name for name in found if name.count(".") == 2) == sorted(public())
    assert len(found) == len(set(found))
    hidden = [name for name in found if re.search(r"\._(?!_call__)", name)]
    assert hidden == []


@pytest.mark.parametrize("page", rooms())
def test_a_page_of_the_reference_is_whole_and_light(page, site):
    html = (site / f"{page}.html").read_bytes()
    assert len(gzip.compress(html)) < HEAVIEST
    text = read(site, page).select_one("article").get_text("\n")
    assert RAW.findall(text) == []
    listed = [
        link["href"] for link in read(site, page).select("table.public-names td:first-child a")
    ]
    assert listed == [f"#{name}" for name in entries(site, page) if name.count(".") == 2]


def test_raw_markup_is_seen():
    for text in (
        ":math:`x`",
        "Parameters\n----",
        "<Net object at 0x7f>",
        "np.ndarray",
        "Union[int",
    ):
        assert RAW.findall(text), text
    assert not RAW.findall('Float[ndarray, "n d"]\nParameters:\nnet')


def test_long_signatures_have_a_line_for_each_parameter(site):
    flow = entries(site, "book/reference/trainers")["ibtools.trainers.margin_flow"]
    lines = [line.get_text() for line in flow.select(".sig-parameters > div")]
    assert lines[:3] == ["net: nn.Module,", "X: ArrayLike | Tensor,", "y: ArrayLike,"]
    assert "max_steps: int = 20_000," in lines


@pytest.mark.parametrize("page", [page for page in PAGES if page not in REFERENCE])
def test_a_lecture_leads_to_what_it_uses_and_back(page, site):
    uses = imported_by(ROOT / f"{page}.md")
    links = [link["href"] for link in read(site, page).select(".functions-used a")]
    assert sorted(link.rpartition("#")[2] for link in links) == sorted(uses)
    for name in filter(lambda name: callable(public()[name]), uses):  # not constants, modules
        entry = entries(site, f"book/reference/{name.split('.')[1]}")[name]
        back = entry.find_next_sibling("dd").select(".in-the-book a")
        assert any(link["href"].endswith(f"{page.rpartition('/')[2]}.html") for link in back), name


def test_the_search_finds_names_of_the_package(site):
    index = (site / "_static/search-index.js").read_text(encoding="utf-8")
    for name in ("trainers.margin_flow", "theory.max_margin", "models.DiagonalNet"):
        assert f'"{name}",' in index
