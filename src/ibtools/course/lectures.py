"""What a lecture sets up before its exercises: its imports, its data, its functions."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from ibtools.course.pages import pages


class Lecture:
    """The names of a lecture, each made when it is asked for, by the lecture's own code.

    ``here.X`` is what ``X`` is on the page of ``here = lecture(...)``; ``globals().update(here)``
    makes all of its names yours.

    Attributes
    ----------
    name
        As in ``imd/scale-and-shape``.
    title
        The lecture's title.
    """

    def __init__(self, name: str, title: str, statements: list[dict[str, Any]]) -> None:
        self.name = name
        self.title = title
        self._statements = statements
        self._done: set[int] = set()
        self._scope: dict[str, Any] = {"__name__": f"ibtools.course.lecture({name!r})"}

    def __getattr__(self, name: str) -> Any:
        """Return what a name is on the page."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "plt":
            from matplotlib import pyplot

            return pyplot
        if name == "np":
            import numpy

            return numpy
        if name not in self.keys():
            near = get_close_matches(name, self.keys(), n=3)
            raise AttributeError(
                f"the lecture {self.title!r} has no {name!r}"
                + (f"; did you mean {' or '.join(near)}?" if near else "")
            )
        for index in self._needed(name):
            if index not in self._done:
                code = self._statements[index]["code"]
                exec(compile(code, self._scope["__name__"], "exec"), self._scope)
                self._done.add(index)
        return self._scope[name]

    def _needed(self, name: str) -> list[int]:
        """Return the statements that define a name, with all that these need."""
        names: set[str] = set()
        found: set[int] = set()
        waiting = {name}
        while waiting:
            names |= waiting
            here = {
                index
                for index, statement in enumerate(self._statements)
                if names & set(statement["binds"])
            }
            waiting = {used for i in here - found for used in self._statements[i]["uses"]} - names
            found |= here
        return sorted(found)

    def keys(self) -> list[str]:
        """Return the names, for ``globals().update(lecture)``."""
        bound = {name for statement in self._statements for name in statement["binds"]}
        return sorted({"np", "plt", *(name for name in bound if not name.startswith("_"))})

    def __getitem__(self, name: str) -> Any:
        """Return what a name is on the page."""
        try:
            return getattr(self, name)
        except AttributeError as error:
            raise KeyError(name) from error

    def __iter__(self) -> Iterator[str]:
        """Run through the names."""
        return iter(self.keys())

    def __dir__(self) -> list[str]:
        """Return the names, for completion."""
        return sorted({*super().__dir__(), *self.keys()})

    def __repr__(self) -> str:
        """Return title and names."""
        return f"{self.title}: {', '.join(self.keys())}"


def lecture(name: str) -> Lecture:
    """Return what a lecture sets up before its exercises.

    Parameters
    ----------
    name
        The lecture, as in ``"imd/scale-and-shape"``.

    Returns
    -------
    Lecture
        Its names as attributes: NumPy as ``np``, Matplotlib's pyplot as ``plt``, what the lecture
        imports, its data, and the functions that its exercises use. Each is made when it is asked
        for, so that this is quick.

    Raises
    ------
    ValueError
        If there is no such lecture.

    See Also
    --------
    lectures : The names of all of them.

    Examples
    --------
    >>> from ibtools.course import lecture
    >>> here = lecture("imd/scale-and-shape")
    >>> here.X.shape, here.few_X.shape
    ((100, 1000), (5, 12))
    """
    known = pages()["lectures"]
    if name not in known:
        near = get_close_matches(str(name), known, n=3, cutoff=0.4)
        raise ValueError(
            f"name must be that of a lecture with exercises, got {name!r}; "
            + (f"did you mean {' or '.join(map(repr, near))}? " if near else "")
            + "`ibtools.course.lectures()` lists them all"
        )
    return Lecture(name, known[name]["title"], known[name]["statements"])


def lectures() -> tuple[str, ...]:
    """Return the names of the lectures with exercises, in the order of the book.

    Returns
    -------
    tuple[str, ...]
        As `lecture` takes them.

    Examples
    --------
    >>> from ibtools.course import lectures
    >>> lectures()[2]
    'imd/mirror-flow'
    """
    return tuple(pages()["lectures"])
