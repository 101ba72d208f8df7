"""Cutting MyST Markdown into blocks."""

import pytest
from blocks import Code, Directive, MathBlock, Text, parse
from hypothesis import given
from hypothesis import strategies as st


def blocks(text):
    return list(parse(text.splitlines()))


def test_a_directive_has_a_name_an_argument_options_and_a_body():
    (block,) = blocks(":::{prf:theorem} A *title*\n:label: thm\n:nonumber:\n\nBody\n:::")
    assert block == Directive(
        "prf:theorem", "A *title*", {"label": "thm", "nonumber": ""}, ["", "Body"]
    )


def test_the_argument_may_hold_a_role():
    (block,) = blocks(":::{prf:theorem} After {cite:t}`x`\nBody\n:::")
    assert block == Directive("prf:theorem", "After {cite:t}`x`", {}, ["Body"])


def test_options_may_be_yaml():
    (block,) = blocks("```{code-cell}\n---\nmystnb:\n  figure:\n    caption: C\n---\nx\n```")
    assert block.options == {"mystnb": {"figure": {"caption": "C"}}}
    assert block.body == ["x"]


def test_longer_fences_hold_shorter_ones():
    (block,) = blocks("::::{note}\n:::{tip}\nInner\n:::\n::::")
    assert blocks("\n".join(block.body)) == [Directive("tip", "", {}, ["Inner"])]


def test_colons_hold_backticks_and_the_other_way_round():
    (block,) = blocks(":::{note}\n```{tip}\nInner\n```\n:::")
    assert blocks("\n".join(block.body)) == [Directive("tip", "", {}, ["Inner"])]


def test_code_is_kept_letter_by_letter():
    code = "```python\n$$ not math $$\n:::{note}\n```"
    assert blocks(f"a\n{code}\nb") == [Text(["a"]), Code(code.splitlines()), Text(["b"])]


@pytest.mark.parametrize(
    "text", ["$$x = 1$$ (eq)", "$$ x = 1 $$ (eq)", "$$\nx = 1\n$$ (eq)", "$$ x =\n1 $$(eq)"]
)
def test_display_math_in_every_layout(text):
    (block,) = blocks(text)
    assert isinstance(block, MathBlock)
    assert block.tex.replace("\n", " ") == "x = 1"
    assert block.label == "eq"


def test_indentation_is_taken_off_the_body():
    (_, block) = blocks("- item\n  ```{note}\n  Text\n  ```")
    assert (block.indent, block.body) == ("  ", ["Text"])


@pytest.mark.parametrize("text", ["```{note}\nText", ":::{note}\nText\n::", "$$\nx"])
def test_what_is_never_closed_is_an_error_that_shows_where_it_opens(text):
    with pytest.raises(ValueError, match="never closed") as caught:
        blocks(text)
    assert text.splitlines()[0] in str(caught.value)


@given(st.lists(st.text(alphabet="ab $#*-[]().\\", max_size=20)))
def test_text_without_fences_comes_back_whole(lines):
    lines = [line for line in lines if not line.lstrip().startswith("$$")]
    found = list(parse(lines))
    assert [line for block in found for line in block.lines] == lines


@given(depth=st.integers(1, 8), marks=st.sampled_from(":`"))
def test_any_depth_of_nesting_is_undone(depth, marks):
    lines = ["core"]
    for level in range(depth):
        fence = marks * (3 + level)
        lines = [f"{fence}{{note}}", *lines, fence]
    for _ in range(depth):
        (block,) = parse(lines)
        lines = block.body
    assert lines == ["core"]
