"""Our side of one submission: start the student's process, ask it, and judge what it says.

Verdicts are made here, in a process in which nothing of the student's has run: a cell that replaces
`check`, or the theory behind it, does so where nobody looks.
"""

import ast
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ibtools.course.grading.master import Check, Master, Step
from ibtools.course.grading.plain import from_json, pack, to_json, unpack
from ibtools.course.grading.shell import PATIENCE, into_nowhere, reader, serve
from ibtools.course.limits import NoAnswerError

MOST_STARTS = 6  # each without one more cell that ended the process
GRACE = 3.0  # seconds by the clock for a cell that does not listen when it is told to stop


class GoneError(NoAnswerError):
    """The student's process has ended or says nothing."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    seconds
        Of CPU, for one cell or one call of a function.
    memory
        In MB.
    """

    seconds: float = 60.0
    memory: int = 2048


@dataclass
class Ran:
    """What came of one cell."""

    place: int
    source: str
    error: str = ""
    text: str = ""


@dataclass
class Judged:
    """What is said of one submission."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    cells: list[Ran] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    network: bool | None = None  # whether it was cut off
    student: str = ""


class Process:
    """A student's process, from our side."""

    def __init__(self, shell: Any, steps: Sequence[Step], limits: Limits, seed: int) -> None:
        self.limits = limits
        self.ours, theirs = socket.socketpair()
        self.folder = tempfile.mkdtemp(prefix="graded-")
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._be_the_student(shell, steps, theirs, seed)
            finally:
                os._exit(0)
        theirs.close()
        self.read = reader(self.ours)
        self.alive = True

    def _be_the_student(self, shell: Any, steps: Sequence[Step], pipe: Any, seed: int) -> None:
        from ibtools.course.grading import fences

        self.ours.close()
        os.setsid()
        os.chdir(self.folder)
        into_nowhere()
        limits = self.limits
        everything = limits.seconds * (len(steps) + 10)
        alone = fences.put_up(seconds=everything, memory=limits.memory * 2**20)
        serve(shell, steps, pipe, seconds=limits.seconds, seed=seed, network=alone)

    def hear(self) -> dict[str, Any]:
        """Return what it says next; raise `GoneError` if it is silent for too long."""
        self.ours.settimeout(PATIENCE * self.limits.seconds + GRACE)
        try:
            said = unpack(self.read)
        except TimeoutError:
            self.end()
            raise GoneError("It did not stop when its time was over.") from None
        except (EOFError, OSError):
            raise GoneError(f"It {self.end()}.") from None
        except (ValueError, MemoryError, RecursionError):
            self.end()
            raise GoneError("It said something that is no answer.") from None
        if not isinstance(said, dict):
            self.end()
            raise GoneError("It said something that is no answer.")
        return said

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return its answer to a question."""
        if not self.alive:
            raise GoneError("The notebook's process had ended before.")
        try:
            self.ours.sendall(pack(question))
        except OSError:
            raise GoneError(f"It {self.end()}.") from None
        return self.hear()

    def value(self, said: dict[str, Any]) -> Any:
        """Return the value in an answer."""
        if "raised" in said:
            raise NoAnswerError(f"It raised {str(said['raised'])[:400]}.")
        try:
            return from_json(said["value"], self.function)
        except NoAnswerError:
            raise
        except Exception:
            self.end()
            raise GoneError("It said something that is no answer.") from None

    def function(self, index: int) -> Any:
        """Return a function that calls theirs, over there."""

        def theirs(*arguments: Any) -> Any:
            sent = to_json(list(arguments), lambda _: -1)
            return self.value(self.ask(call=index, arguments=sent))

        return theirs

    def end(self) -> str:
        """End it if it has not ended; return how it did."""
        if not self.alive:
            return "had ended before"
        self.alive = False
        self.ours.close()
        for _ in range(20):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        else:
            status = 0
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # with all that it started
        if not pid:
            _, status = os.waitpid(self.pid, 0)
        shutil.rmtree(self.folder, ignore_errors=True)
        return how_it_ended(status)


def how_it_ended(status: int) -> str:
    """Return the end of a process in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "used up the time of the whole notebook"
        return f"was ended by {signal.Signals(number).name}"
    return f"ended its process (exit status {os.waitstatus_to_exitcode(status)})"


def judge(
    shell: Any, names: dict[str, Any], master: Master, steps: list[Step], limits: Limits, seed: int
) -> Judged:
    """Run a submission and judge it.

    A cell that ends its process, or does not stop, is left out, and the others are run again.
    """
    judged = Judged()
    left_out: dict[int, str] = {}
    for _ in range(MOST_STARTS):
        kept = [step for index, step in enumerate(steps) if index not in left_out]
        at = [index for index in range(len(steps)) if index not in left_out]
        process = Process(shell, kept, limits, seed)
        ran: dict[int, Ran] = {}
        running = None
        try:
            while (said := process.hear()).get("say") != "ready":
                if said.get("say") == "begun":
                    judged.network = bool(said.get("network"))
                elif said.get("say") == "cell":
                    running = at[int(said["index"])]
                elif said.get("say") == "ran" and running is not None:
                    step = steps[running]
                    ran[running] = Ran(
                        step.place, step.source, str(said["error"])[:500], str(said["text"])[:5000]
                    )
                    running = None
        except (GoneError, KeyError, IndexError, TypeError, ValueError) as error:
            process.end()
            if running is None:
                judged.notes.append(f"its process: {error}")
                break
            left_out[running] = str(error)
            continue
        try:
            _ask(judged, process, names, master)
        finally:
            process.end()
        break
    else:
        judged.notes.append(f"{len(left_out)} cells ended the process; the rest was not run")
    for index, step in enumerate(steps):
        if index in left_out:
            lost = Ran(step.place, step.source, f"left out: {left_out[index]}")
            judged.cells.append(lost)
        elif index in ran:
            judged.cells.append(ran[index])
    for check in master.checks:
        judged.results.setdefault(check.exercise, _none("Not answered: nothing was run."))
    return judged


def _ask(judged: Judged, process: Process, names: dict[str, Any], master: Master) -> None:
    """Take the answers over, all before the first is judged, and judge them."""
    wanted = dict.fromkeys([*master.asks, *(name for c in master.checks for name in c.wanted)])
    space = dict(names)
    missing: dict[str, str] = {}
    for name in wanted:
        try:
            said = process.ask(name=name)
            if said.get("missing"):
                missing[name] = f"No cell that ran gave {name} a value."
                continue
            space[name] = process.value(said)
        except NoAnswerError as error:
            missing[name] = f"{name}: {error}"
    for name in missing:
        space[name] = None
    judged.student = space["student"] if isinstance(space.get("student"), str) else ""
    for source in master.given:
        try:
            exec(compile(source, "<given>", "exec"), space)
        except Exception as error:
            judged.notes.append(f"the homework cannot be drawn: {error}")
            return
    for check in master.checks:
        judged.results[check.exercise] = _verdict(check, space, missing)


def _verdict(check: Check, space: dict[str, Any], missing: dict[str, str]) -> dict[str, Any]:
    lost = [missing[name] for name in check.wanted if name in missing]
    blank = [name for name in check.wanted if name not in missing and space[name] is ...]
    if check.wanted and len(lost) + len(blank) == len(check.wanted):
        return _none(" ".join(lost) or "Not answered.")
    here = {**space, **dict.fromkeys(blank)}
    found: list[Any] = []
    here["__verdict__"] = found.append
    try:
        exec(_keeping_the_last(check.source), here)
    except AssertionError as error:
        return _none(str(error) or "An assertion of the check does not hold.")
    except Exception as error:
        return _none(f"{type(error).__name__}: {error}")
    verdict = found[-1] if found else None
    score = getattr(verdict, "score", 1.0 if verdict is None else 0.0)
    told = str(verdict) if hasattr(verdict, "score") else ""
    return {"score": min(1.0, max(0.0, float(score))), "said": " ".join([*lost, told]).strip()}


def _keeping_the_last(source: str) -> Any:
    """Return code that hands its last expression, as Jupyter would show it, to ``__verdict__``."""
    tree = ast.parse(source)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        last.value = ast.Call(ast.Name("__verdict__", ast.Load()), [last.value], [])
    return compile(ast.fix_missing_locations(tree), "<check>", "exec")


def _none(said: str) -> dict[str, Any]:
    return {"score": 0.0, "said": said}
