"""Models are values: two with the same weights are equal, wherever they came from."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np


class ByValue:
    """Equality and hash of a frozen dataclass by what its fields hold, arrays entry by entry.

    Declare it ``@dataclass(frozen=True, eq=False)``: what the decorator writes by itself compares
    arrays as truth values. Arrays stay read-only in copies and where a model was pickled.

    Examples
    --------
    >>> from ibtools.models import LinearNeuron
    >>> one, other = (LinearNeuron(a=1.0, w=[1.0, 2.0]) for _ in range(2))
    >>> one == other, hash(one) == hash(other), one == LinearNeuron(a=1.0, w=[1.0, 2.5])
    (True, True, False)
    """

    def _held(self) -> Iterator[Any]:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                yield value.shape
                yield (value + 0).tobytes()  # −0 is 0
            else:
                yield value

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same kind and holds the same."""
        if type(other) is not type(self):
            return NotImplemented
        return tuple(self._held()) == tuple(other._held())

    def __hash__(self) -> int:
        """Return the hash of what is held."""
        return hash((type(self), *self._held()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled or copied."""
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)
