"""A book of one page, built as the whole one is."""

import os
import shutil
import subprocess
import sys

import jupytext
import nbformat
from book_site import ROOT
from builder import build
from nbformat.v4 import new_code_cell

PAGE = """\
---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, name: python3}
---
# Page

```{code-cell}
import os, sys, time
sys.path.insert(0, "../src")
from ibtools import VALUE
print("value", VALUE, "static", os.environ["IBTOOLS_STATIC_FIGURES"])
print("run at", time.time_ns())
```
"""
CONFIG = """\
title: Small
only_build_toc_files: true
exclude_patterns: ["**.ipynb"]
execute: {execute_notebooks: cache, raise_on_error: true, stderr_output: warn}
sphinx:
  local_extensions: {book_execution: book/_ext}
"""


class SmallBook:
    """A book of one page, and a package that the page shows a value of."""

    def __init__(self, root):
        self.root = root
        self.page, self.package = root / "book/page.md", root / "src/ibtools/__init__.py"
        for folder in ("book/_ext", "src/ibtools"):
            (root / folder).mkdir(parents=True)
        for name in ("book_execution", "book_kernels", "book_runs", "book_solutions", "code_alone"):
            shutil.copy(ROOT / f"book/_ext/{name}.py", root / "book/_ext")
        shutil.copy(ROOT / "book/conftest.py", root / "book")
        fonts = "_build/.matplotlib"  # their index takes a second to make
        if (ROOT / fonts).is_dir():
            shutil.copytree(ROOT / fonts, root / fonts)
        (root / "requirements.txt").write_text("numpy==1\n")
        (root / "_config.yml").write_text(CONFIG)
        (root / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
        self.page.write_text(PAGE)
        self.package.write_text("VALUE = 1\n")

    def build(self, **environment):
        return build(self.root, **environment)

    def run_notebooks(self, *names, **environment):
        """Run the notebooks of pages as `make test` does; the first cell of each is not the page's.

        Return what pytest answers, and the names of the pages of which it kept the run.
        """
        notebooks = [self.root / f"book/{name}.ipynb" for name in names]
        for path in notebooks:
            notebook = jupytext.read(path.with_suffix(".md"))
            notebook.cells.insert(0, new_code_cell("import textwrap  # as on google.colab"))
            nbformat.write(notebook, path)
        (self.root / "pytest.ini").write_text("[pytest]\npythonpath = book/_ext\n")
        nbval = ("--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider")
        answer = subprocess.run(
            [sys.executable, "-m", "pytest", *nbval, *map(str, notebooks)],
            cwd=self.root,
            capture_output=True,
            text=True,
            env=os.environ | environment,
        )
        kept = self.root / "_build/.runs/book"
        return answer, {str(p.relative_to(kept).with_suffix("")) for p in kept.rglob("*.*")}

    def html(self, name="page"):
        return (self.root / f"_build/html/book/{name}.html").read_text()

    def shown(self):
        """What the built page says: the value, and when it was computed."""
        answer = self.build()
        assert answer.returncode == 0, answer.stderr[-3000:]
        html = self.html()
        value = html.split("value ")[1].split(" static 1")[0]
        return value.strip(), html.split("run at ")[1].split("\n")[0]

    def caches(self):
        return sorted(path.name for path in (self.root / "_build/.jupyter_cache").iterdir())
