"""No sentence without something behind it: numbers in prose are produced or asserted by code."""

import ast
from pathlib import Path

import pytest
import yaml
from book_solutions import code_of_solutions
from prose_numbers import backing, numbers_in, without_backing

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted(str(page.relative_to(BOOK)) for page in BOOK.rglob("*.md"))
ALLOWED: dict[str, list[dict[str, str]]] = yaml.safe_load(
    (Path(__file__).parent / "unbacked.yaml").read_text()
)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("page", PAGES)
def test_numbers_in_prose_have_something_behind_them(page: str) -> None:
    allowed = ALLOWED.get(page, [])
    assert all(entry["because"].strip() for entry in allowed)
    left = without_backing(BOOK / page)
    excused = {
        entry["text"]: [number for number in left if entry["text"] in number.context]
        for entry in allowed
    }
    bare = [n for n in left if not any(n in numbers for numbers in excused.values())]
    listed = "\n".join(f"  {number.text:>12}   … {number.context} …" for number in bare)
    assert not bare, f"{len(bare)} numbers that no cell of {page} produces or asserts:\n{listed}"
    assert [text for text, numbers in excused.items() if not numbers] == [], "no longer needed"


@pytest.mark.parametrize("page", PAGES)
def test_solutions_with_code_assert_what_they_say(page: str) -> None:
    for name, blocks in code_of_solutions((BOOK / page).read_text()).items():
        assert any(
            isinstance(node, ast.Assert) for code in blocks for node in ast.walk(ast.parse(code))
        ), f"the solution of {name} runs code and asserts nothing"


@pytest.mark.parametrize(
    ("sentence", "values"),
    [
        ("an error of 0.9 is hardly better", [0.9]),
        ("moves by two percent, or 3.5 %", [2, 3.5]),
        (r"only $25\%$ of them, $1.5\,\%$ at most", [25, 1.5]),
        (r"at $\alpha = 10^{-6}$ and $4\cdot10^{-16}$", [1e-6, 4e-16]),
        ("three times as fast, a factor of 6, 20-fold", [3, 6, 20]),
        ("see `x = 0.3` and {cite:t}`a2.5` and [b](c1.5)", []),
        ("Theorem 1.2 of Chapter 3, Figure 7.1, Sections 2.2 and 2.3", []),
        ("1 000 samples in 10 groups", []),
    ],
)
def test_numbers_are_found(sentence: str, values: list[float]) -> None:
    assert sorted(number.value for number in numbers_in(sentence)) == pytest.approx(
        sorted(values), rel=1e-12, abs=0
    )


def test_backing_is_found_and_not_invented() -> None:
    code = (
        "x = f(0.25)\nax.set(xlim=(0, 0.4))\n"
        "assert 0.85 < x < 0.95\nassert abs(y - 1.26) < 2 * 10**5\n"
        "assert 0.52 < z < 0.8\nassert 0.96 < v < 0.98\n"
    )
    known = backing([code])

    def backed(sentence: str) -> bool:
        (number,) = numbers_in(sentence)
        return known.of(number)

    assert backed("it is 0.9")
    assert backed("it is 0.25")
    assert backed("it is 25 %")
    assert backed("below $2\\cdot10^5$")
    assert backed("it is 1.3")  # asserted to be 1.26
    assert backed("it is 97 %")
    assert not backed("it is 0.6")  # within its interval 0.7 and 0.8 are as good
    assert not backed("it is 0.974")
    assert not backed("it is 0.3")  # 0.25 is a setting, and settings are not rounded
    assert not backed("it is 0.4")
    assert not backed("it is 0.7")
    assert not backed("it is 0.251")
