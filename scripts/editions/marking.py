"""How an exercise is marked: by its checker's parts, or by a scheme of its kind."""

from collections.abc import Sequence

from ibtools.course import Checker, Exercise
from ibtools.course.questions import Question

# What a full answer to an exercise without a checker shows; every line is worth as many points as
# the exercise has dots.
BY_KIND = {
    "pencil": (
        "The right statement is used, and its assumptions are seen to hold.",
        "Each step follows from the one before; none is missing.",
        "The result is stated, and tried on a case where it is known.",
    ),
    "code": (
        "The code runs from top to bottom and computes what is asked for.",
        "It compares with theory, by numbers and not by eye.",
        "A sentence says what was found, and why it had to come out so.",
    ),
    "find-the-error": (
        "The sentence that is wrong is named; those that are right are left alone.",
        "The reason is given, with the statement that it contradicts.",
        "What would be right is said, or a counterexample is computed.",
    ),
    "predict-then-run": (
        "A prediction stands there, made before the run, with its reason.",
        "The run was made, and its result is told beside the prediction.",
        "Where the two differ, the flaw in the reason is found.",
    ),
    "project": (
        "A question is asked that an experiment can answer.",
        "The experiment answers it: controls, more than one seed, sizes that matter.",
        "The result is compared with theory, and what theory does not say is named.",
    ),
}


def points(exercise: Exercise, checker: Checker | None) -> float:
    if checker:
        return sum(question.points for question in checker.questions)
    return exercise.difficulty * len(BY_KIND[exercise.kind])


def scheme(exercise: Exercise, checker: Checker | None) -> str:
    """The marking scheme of an exercise, in Markdown."""
    lines = [f"**Marking**: {number(points(exercise, checker))}; {exercise.minutes} minutes.", ""]
    if not checker:
        each = number(exercise.difficulty)
        return "\n".join([*lines, *(f"- {each}: {line}" for line in BY_KIND[exercise.kind])])
    return "\n".join([*lines, *by_parts(checker.questions)])


def by_parts(questions: Sequence[Question]) -> list[str]:
    """What each part is worth, and what is usually wrong with it."""
    parts = [f"- `{each.name}`, {number(each.points)}: {each.asks}" for each in questions]
    usual = [
        f"- `{each.name}`, {wrong.name}: “{wrong.feedback}”"
        for each in questions
        for wrong in each.wrong
    ]
    if not usual:
        return parts
    return [*parts, "", "**Misconceptions**, and what `check` says of them:", "", *usual]


def number(value: float) -> str:
    return f"{value:g} point{'' if value == 1 else 's'}"
