"""A course: the reader's answers checked against theory, homework with data of one's own.

A checker is a claim about an answer: theory says what must come out, on data that the answer has
not seen, and the answer is what came out. Nothing here needs PyTorch but the set-up of lectures
that train nets.
"""

from ibtools.course.exercises import Exercise, Hint, exercises, hint
from ibtools.course.homework import Problem, homeworks, problem
from ibtools.course.lectures import Lecture, lecture, lectures
from ibtools.course.registry import Checker, check, checkers
from ibtools.course.verdict import Part, Verdict

__all__ = [
    "Checker",
    "Exercise",
    "Hint",
    "Lecture",
    "Part",
    "Problem",
    "Verdict",
    "check",
    "checkers",
    "exercises",
    "hint",
    "homeworks",
    "lecture",
    "lectures",
    "problem",
]
