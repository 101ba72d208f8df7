"""What an exercise asks for: ``{kind}`pencil 2``` at its head says its kind and how hard it is."""

from typing import NamedTuple

KINDS = {
    "pencil": "Pencil",
    "code": "Code",
    "find-the-error": "Find the error",
    "predict-then-run": "Predict, then run",
    "project": "Project",
}
HARDEST = 3


class Kind(NamedTuple):
    """The kind of an exercise and its difficulty, from 1 to 3."""

    name: str
    difficulty: int

    @property
    def title(self) -> str:
        return KINDS[self.name]

    @property
    def dots(self) -> str:
        return "●" * self.difficulty + "○" * (HARDEST - self.difficulty)

    @property
    def in_words(self) -> str:
        return f"*{self.title}* {self.dots}"


def read_kind(content: str) -> Kind:
    """Read what stands in the role, such as ``pencil 2``."""
    name, _, difficulty = content.strip().partition(" ")
    if name not in KINDS or difficulty not in ("1", "2", "3"):
        raise ValueError(
            f"the kind of an exercise is one of {', '.join(KINDS)} and a difficulty from 1 to "
            f"{HARDEST}, as in {{kind}}`pencil 2`; got {content!r}"
        )
    return Kind(name, int(difficulty))
