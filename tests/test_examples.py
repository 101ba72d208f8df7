"""The examples of all docstrings, as a reader has them: pasted, each alone, into a fresh Python.

They are found in the source, so that nothing is imported before an example imports it.
"""

import ast
import doctest
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import ibtools

PACKAGE = Path(ibtools.__file__).parent
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def examples(path: Path) -> Iterator[doctest.DocTest]:
    """Give the examples of a module's docstrings, each with names of its own."""
    text = path.read_text(encoding="utf-8")
    waiting = [(".".join(path.relative_to(PACKAGE).with_suffix("").parts), ast.parse(text))]
    for name, node in waiting:
        waiting += [
            (f"{name}.{inner.name}", inner)
            for inner in ast.iter_child_nodes(node)
            if isinstance(inner, ast.ClassDef | ast.FunctionDef)
        ]
        said = ast.get_docstring(node, clean=False)
        if said and ">>>" in said:
            names = {"__name__": "__main__"}
            line = node.body[0].lineno - 1
            yield doctest.DocTestParser().get_doctest(said, names, name, str(path), line)


EXAMPLES = [example for path in sorted(PACKAGE.rglob("*.py")) for example in examples(path)]


def complaints(example: doctest.DocTest) -> str:
    """Run an example; return what is not as it says."""
    said: list[str] = []
    # Left to itself, doctest tells of everything where the command line has a -v.
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs_when_it_is_pasted_alone(example):
    found = complaints(example)
    if find_spec("torch") is None and "No module named 'torch'" in found:
        pytest.skip("needs PyTorch")
    assert not found, found


def test_every_example_is_found():
    written = sum(path.read_text().count("    Examples\n    ---") for path in PACKAGE.rglob("*.py"))
    assert 200 < written <= len(EXAMPLES)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def f():\n    '''\n    >>> f()\n    '''", "name 'f' is not defined"),
        ("class A:\n    def g(self):\n        '''\n        >>> np.pi\n        '''", "'np'"),
        ("'''\n>>> 1 + 1\n3\n'''", "Got:\n    2"),
    ],
)
def test_a_missing_import_and_a_wrong_output_are_told(tmp_path, monkeypatch, text, told):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    module = tmp_path / "module.py"
    module.write_text(text)
    (example,) = examples(module)
    assert told in complaints(example)
