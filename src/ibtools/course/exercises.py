"""The exercises of the book: what they are, how long they take, and their hints."""

from dataclasses import dataclass

from ibtools.course.pages import pages
from ibtools.course.registry import checkers

# What an exercise without a checker takes, by kind and difficulty.
_MINUTES = {
    "pencil": (10, 20, 40),
    "code": (15, 30, 60),
    "find-the-error": (10, 20, 40),
    "predict-then-run": (15, 30, 60),
    "project": (120, 240, 480),
}
# Why an exercise has no checker, where it is not that projects are open.
_BY_HAND = {
    "warp.rotation": "a proof",
    "nh.order": "a proof",
    "nh.logistic": "a proof",
    "hm.schedule": "runs of one's own, of which no theory has the numbers",
    "nh.signs": "runs of one's own, of which no theory has the numbers",
}


@dataclass(frozen=True)
class Exercise:
    """An exercise of the book.

    Attributes
    ----------
    id
        Its label without ``ex-``, as in ``imd.tie``.
    label
        Its label in the book.
    number, title
        As the book has them.
    page
        The page it stands on, as in ``imd/scale-and-shape``.
    kind
        ``pencil``, ``code``, ``find-the-error``, ``predict-then-run`` or ``project``.
    difficulty
        From 1 to 3.
    minutes
        How long a student is expected to take: stated by its checker, or estimated from kind and
        difficulty.
    checked
        Whether `check` knows it.
    by_hand
        Why it does not, in a few words; empty if it does.
    """

    id: str
    label: str
    number: str
    title: str
    page: str
    kind: str
    difficulty: int
    minutes: int
    checked: bool
    by_hand: str = ""


class Hint(str):
    """A hint, shown as Markdown in a notebook."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def exercises() -> tuple[Exercise, ...]:
    """Return all exercises of the book, in its order.

    Returns
    -------
    tuple[Exercise, ...]
        Those that `check` knows and those that it does not.

    Examples
    --------
    >>> from ibtools.course import exercises
    >>> [exercise.minutes for exercise in exercises() if exercise.id == "imd.tie"]
    [20]
    """
    known = checkers()
    return tuple(
        Exercise(
            id,
            "ex-" + id.replace(".", "-", 1),
            about["number"],
            about["title"],
            about["page"],
            about["kind"],
            about["difficulty"],
            known[id].minutes if id in known else _MINUTES[about["kind"]][about["difficulty"] - 1],
            id in known,
            "" if id in known else _BY_HAND.get(id, "an open question"),
        )
        for id, about in pages()["exercises"].items()  # noqa: A001
    )


def hint(id: str, number: int = 1) -> Hint:  # noqa: A002
    r"""Return a hint for an exercise.

    Parameters
    ----------
    id
        The exercise, as in ``"imd.tie"``.
    number
        Which one: 1 is the hint that stands in the book; some exercises have more.

    Returns
    -------
    Hint
        A text in Markdown.

    Raises
    ------
    ValueError
        If there is no such exercise, or not so many hints.

    Examples
    --------
    >>> from ibtools.course import hint
    >>> hint("imd.digits")
    'Solve $(\\sqrt k)^{1-\\rho}=10^{-m}$ for $\\log_{10}\\sqrt k$.'
    """
    about = pages()["exercises"]
    if id not in about:
        raise ValueError(
            f"id must be that of an exercise of the book, got {id!r}; "
            "`ibtools.course.exercises()` lists them all"
        )
    known = checkers()
    hints = [about[id]["hint"], *(known[id].hints if id in known else ())]
    if number not in range(1, len(hints) + 1):
        raise ValueError(
            f"number must be from 1 to {len(hints)}, the hints for {id!r}, got {number!r}; "
            f'the last is `hint("{id}", {len(hints)})`'
        )
    return Hint(hints[number - 1])
