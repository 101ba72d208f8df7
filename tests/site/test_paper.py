"""What belongs together stands on one sheet of paper, wherever the sheet ends."""

import re

import pytest
from book_site import ROOT
from sheets import drawn_on_pages

STYLE = (ROOT / "book/_static/print.css").read_text(encoding="utf-8")
SHEET = 265  # of A4's 297 millimetres, what the margins leave
# As they lie in a page; each word is drawn by itself.
TOGETHER = {
    "a formula, its number, and what leads to it": (
        "<h2>Title</h2><p>Line</p><div class=math><span class=eqno>Number</span>"
        "<mjx-container display=true><span class=tall>Formula</span></mjx-container></div>"
    ),
    "what ends a section of exercises": (
        "<section><div class=exercise><div class=high>Exercise</div></div></section>"
    ),
    "three settings of a figure and its caption": (
        "<figure class=ib-printed><div class=ib-paper><div>One</div><div>Two</div><div>Three</div>"
        "</div><figcaption class=high>Caption</figcaption></figure>"
    ),
}
PAGE = """<!doctype html><style>{style}</style><style>
* {{margin: 0; font: 12px/16px sans-serif}}
.math {{display: flex}} .eqno {{order: 1}} mjx-container {{display: block; flex: 1; margin: 20px 0}}
.tall {{line-height: 15mm}} .high {{height: 30mm}} .exercise {{break-inside: avoid}}
i {{display: block; break-before: page}}
</style><body>{body}"""


def words_on_sheets(browser, block, style=STYLE):
    """How many words a block draws on each sheet, for many places at which it begins."""
    begins = range(SHEET - 60, SHEET, 2)
    body = "".join(f"<i style='height: {mm}mm'></i>{block}" for mm in begins)
    page = browser.new_page()
    page.set_content(PAGE.format(style=style, body=body))
    pdf = page.pdf(format="A4", prefer_css_page_size=True)
    page.close()
    return {words for _, words in drawn_on_pages(pdf)}


@pytest.mark.parametrize("what", TOGETHER)
def test_no_sheet_ends_in_between(browser, what):
    (words,) = words_on_sheets(browser, TOGETHER[what]) - {0}
    assert words > 1
    loose = re.sub(r"break-(?:inside|before|after): \w+", "", STYLE)
    assert len(words_on_sheets(browser, TOGETHER[what], loose) - {0}) > 1
