"""A book of one page, built as the whole one is."""

import os
import shutil
import subprocess

from book_site import BUILD, ROOT

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
        shutil.copy(ROOT / "book/_ext/book_execution.py", root / "book/_ext")
        (root / "requirements.txt").write_text("numpy==1\n")
        (root / "_config.yml").write_text(CONFIG)
        (root / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
        self.page.write_text(PAGE)
        self.package.write_text("VALUE = 1\n")

    def build(self, **environment):
        """Build as `make book` does, or as a bare ``jupyter-book build .`` does."""
        return subprocess.run(
            [*BUILD, "."],
            cwd=self.root,
            capture_output=True,
            text=True,
            env=os.environ | environment,
        )

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
