"""The notebooks beside the pages."""

from pathlib import Path

import nbformat
import pytest
import yaml
from notebooks import generate

ROOT = Path(__file__).resolve().parents[2]
HEADER = "---\nkernelspec:\n  display_name: Python 3\n  language: python\n  name: python3\n---\n\n"
PAGE = (
    HEADER
    + """# Title

Text {cite:t}`k`, {cite:t}`l`.

```{code-cell}
:tags: [hide-input]
x = 1
```

:::{exercise}
:label: ex
Do.
:::

:::{solution-start} ex
:class: dropdown
:::

Like this.

```{code-cell}
y = 2
```

:::{solution-end}
:::

```{code-cell}
---
mystnb:
  figure:
    caption: A *curve*.
    name: fig
---
z = 3
```
"""
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("root: book/intro\nchapters: [{file: book/page}]\n")
    (tmp_path / "_config.yml").write_text("repository: {url: https://host/a/b, branch: main}\n")
    (tmp_path / "book/intro.md").write_text("# Start\n")
    (tmp_path / "book/page.md").write_text(PAGE)
    (tmp_path / "book/references.bib").write_text(
        "@book{l, title={U}, author={By, Al}, year={2000}, publisher={P}}"
        "@book{k, title={T}, author={Ay, Bo}, year={2001}, publisher={P}}"
    )
    return tmp_path


def test_only_executable_pages_have_a_notebook(root):
    assert list(generate(root)) == [root / "book/page.ipynb"]


def test_the_notebook_is_valid_and_holds_every_cell(root):
    (text,) = generate(root).values()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    cells = [(cell.cell_type[:4], cell.source) for cell in notebook.cells]
    assert cells[0][0] == "code"
    assert "git+https://host/a/b@main" in cells[0][1]
    assert cells[1:] == [
        ("mark", "# Title\n\nText Ay [2001], By [2000]."),
        ("code", "x = 1"),
        ("mark", "**Exercise 1**\n\nDo.\n\n**Solution to Exercise 1**\n\nLike this."),
        ("code", "y = 2"),
        ("code", "z = 3"),
        ("mark", "**Figure 1.** A *curve*."),
        ("mark", "## References\n\n- Bo Ay\\. *T*\\. P, 2001\\.\n- Al By\\. *U*\\. P, 2000\\."),
    ]
    folded = [cell.metadata.get("jupyter", {}).get("source_hidden") for cell in notebook.cells]
    assert folded == [None, None, True, None, True, None, None, None]


def test_notebooks_hold_no_outputs_and_are_the_same_every_time(root):
    (text,) = generate(root).values()
    assert generate(root) == {root / "book/page.ipynb": text}
    code = [c for c in nbformat.reads(text, as_version=4).cells if c.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_first_cell_does_nothing_outside_colab(root):
    (text,) = generate(root).values()
    first = nbformat.reads(text, as_version=4).cells[0]
    namespace: dict = {}
    exec(first.source.replace("%pip install", "raise SystemExit #"), namespace)
    assert first.metadata.tags == ["remove-cell"]


def test_repository_address_is_the_same_everywhere():
    address = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    for name in ("README.md", "CITATION.cff"):
        text = (ROOT / name).read_text()
        assert address in text, name
        assert text.count("https://github.com/") == text.count(address), name
