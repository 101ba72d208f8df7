"""What a file computes: of Python its code, without docstrings and comments.

Nothing in the package and on a page reads a docstring when it runs; `tests/book/test_code_alone.py`
holds this.
"""

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

WITH_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def code_digest(path: Path) -> bytes:
    """Return what changes when a file's code does; of what is not Python, with any byte."""
    content = path.read_bytes()
    return _of_code(content) if path.suffix == ".py" else hashlib.sha256(content).digest()


@lru_cache(maxsize=1024)
def _of_code(content: bytes) -> bytes:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return hashlib.sha256(content).digest()
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).digest()
