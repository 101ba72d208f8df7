"""How long importing takes, each in a fresh interpreter."""

import resource
import statistics
import subprocess
import sys

STATEMENTS = (
    "import ibtools",
    "from ibtools.theory import implicit_limit",
    "from ibtools.trainers import gradient_flow",
    "import torch",
    "import diffrax",
)


def seconds(statement: str, *, repetitions: int) -> float | None:
    """Return the CPU seconds of `statement` beyond the interpreter's own start, or None."""
    # One round more than counted: the first one may compile bytecode.
    rounds = [(_cpu("pass"), _cpu(statement)) for _ in range(repetitions + 1)][1:]
    if any(taken is None for _, taken in rounds):
        return None
    return statistics.median(taken - empty for empty, taken in rounds)


def _cpu(statement: str) -> float | None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run([sys.executable, "-c", statement], capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if answer.returncode:
        return None
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
