"""Grade what a class handed in: a row and a feedback page for each student, whatever it was.

A submission is code. Each is run in a process of its own, within limits on time, memory and files,
without a network where the system can do that; and verdicts are made in another process, in which
nothing of it runs. But it runs as you, and can read and remove what you can: grade what you do not
trust in a container.
"""

from ibtools.course.grading.command import CONTAINER, grade
from ibtools.course.grading.judge import Limits

__all__ = ["CONTAINER", "Limits", "grade"]
