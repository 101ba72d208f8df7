"""Values in transit between a student's process and ours, as JSON: nothing in it can run.

Pickle would let a submission run what it likes where it is graded. So numbers, texts, arrays and
containers of them cross; a function stays where it is, and its number crosses, by which it is
called; of anything else the name of its type crosses.
"""

import base64
import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_BYTES = 64 * 2**20
DEEPEST = 16


class Foreign:
    """Stands for an object of a type that does not cross."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        """Return what it was."""
        return f"<an object of the type {self.name}>"


def to_json(value: Any, keep: Callable[[Any], int], depth: int = 0) -> Any:
    """Return a value as what JSON can hold; `keep` gives functions their numbers."""
    if depth > DEEPEST:
        return {"of": "foreign", "is": "deeply nested"}
    if value is None or value is ...:
        return {"of": "nothing", "is": value is ...}
    if isinstance(value, bool | str) and type(value) in (bool, str):
        return {"of": "plain", "is": value}
    if type(value) in (int, float):
        return {"of": type(value).__name__, "is": repr(value)}
    if type(value) is complex:
        return {"of": "complex", "is": [repr(value.real), repr(value.imag)]}
    if isinstance(value, dict):
        pairs = [
            [to_json(key, keep, depth + 1), to_json(each, keep, depth + 1)]
            for key, each in value.items()
        ]
        return {"of": "dict", "is": pairs}
    if isinstance(value, list | tuple):
        name = "tuple" if isinstance(value, tuple) else "list"
        return {"of": name, "is": [to_json(each, keep, depth + 1) for each in value]}
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "numpy", None)):
        value = value.detach().cpu().numpy()  # a tensor
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcUS":
        file = io.BytesIO()
        np.save(file, np.asarray(value), allow_pickle=False)
        name = "array" if isinstance(value, np.ndarray) else "scalar"
        return {"of": name, "is": base64.b64encode(file.getvalue()).decode()}
    if callable(value) and not isinstance(value, type):
        return {"of": "function", "is": keep(value)}
    return {"of": "foreign", "is": type(value).__name__}


def from_json(value: Any, function: Callable[[int], Any]) -> Any:
    """Return the value that `to_json` wrote; `function` makes what calls one by its number."""
    kind, content = value["of"], value["is"]
    if kind == "nothing":
        return ... if content else None
    if kind == "plain":
        if not isinstance(content, bool | str):
            raise ValueError("no text")
        return content
    if kind in ("int", "float"):
        return int(content) if kind == "int" else float(content)
    if kind == "complex":
        return complex(float(content[0]), float(content[1]))
    if kind == "dict":
        return {
            from_json(key, function): from_json(each, function)
            for key, each in content
            if key["of"] in ("plain", "int", "float", "nothing")
        }
    if kind in ("list", "tuple"):
        items = [from_json(each, function) for each in content]
        return items if kind == "list" else tuple(items)
    if kind in ("array", "scalar"):
        array = np.load(io.BytesIO(base64.b64decode(content)), allow_pickle=False)
        return array if kind == "array" else array[()]
    if kind == "function":
        return function(int(content))
    return Foreign(str(content)[:80])


def pack(message: Any) -> bytes:
    """Return a message with its length before it."""
    content = json.dumps(message).encode()
    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content) / 2**20:.0f} MB are more than an answer may have")
    return struct.pack("!Q", len(content)) + content


def unpack(read: Callable[[int], bytes]) -> Any:
    """Return the next message; `read` gives so many bytes or raises `EOFError`."""
    (size,) = struct.unpack("!Q", read(8))
    if size > MOST_BYTES:
        raise ValueError("the answer is larger than it may be")
    return json.loads(read(size))
