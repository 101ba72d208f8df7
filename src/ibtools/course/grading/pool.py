"""Grade many submissions at a time, each in processes of its own, whatever becomes of any.

What all of them need is imported, and the master's set-up run, once; the processes that grade are
copies of this one, so that each begins at once.
"""

import contextlib
import hashlib
import json
import os
import selectors
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ibtools.course.grading.judge import MOST_STARTS, Judged, Limits, judge
from ibtools.course.grading.master import Master
from ibtools.course.grading.notebooks import UnreadableError, read_notebook
from ibtools.course.grading.shell import PATIENCE
from ibtools.course.grading.submissions import Submission


@dataclass(frozen=True)
class Graded:
    """A submission and what came of it."""

    submission: Submission
    judged: Judged
    status: str  # "graded", "partly run", "not run"
    seconds: float


@dataclass
class _Running:
    submission: Submission
    pid: int
    begun: float
    said: bytes = b""


def grade_all(
    master: Master, submissions: Sequence[Submission], *, limits: Limits, jobs: int, seed: int
) -> Iterator[Graded]:
    """Yield what comes of each submission, as it is done."""
    from ibtools.course.grading.shell import prepare

    shell = prepare()
    done = shell.run_cell(master.setup)
    if error := done.error_before_exec or done.error_in_exec:
        raise ValueError(f"MASTER must have a set-up that runs, and it raised {error!r}")
    if submissions:
        warm_up(dict(shell.user_ns), master)
    waiting = list(submissions)
    selector = selectors.DefaultSelector()
    running: dict[int, _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                submission = waiting.pop(0)
                pipe, one = _start(shell, master, submission, limits, seed)
                running[pipe] = one
                selector.register(pipe, selectors.EVENT_READ)
            for key, _ in selector.select(timeout=1.0):
                one = running[key.fd]
                part = os.read(key.fd, 2**16)
                one.said += part
                if not part:
                    yield _finish(selector, running, key.fd)
            for one in running.values():
                longest = MOST_STARTS * PATIENCE * limits.seconds * 20 + 60
                if time.monotonic() - one.begun > longest:
                    os.kill(one.pid, signal.SIGKILL)  # a bug of ours; its student dies with it
    finally:
        for pipe, one in running.items():
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
            os.close(pipe)
        selector.close()


def warm_up(names: dict[str, Any], master: Master) -> None:
    """Run the checks on wrong answers: what they import and compute is there to be copied then."""
    space = {**names, **dict.fromkeys(master.asks, "nobody")}
    space |= {name: 0.5 for check in master.checks for name in check.wanted}
    for source in [*master.given, *(check.source for check in master.checks)]:
        with contextlib.suppress(Exception), contextlib.redirect_stdout(None):
            exec(compile(source, "<master>", "exec"), space)


def _start(
    shell: Any, master: Master, submission: Submission, limits: Limits, seed: int
) -> tuple[int, _Running]:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return ours, _Running(submission, pid, time.monotonic())
    try:
        os.close(ours)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
        status, judged = _grade(shell, master, submission, limits, seed)
        said = json.dumps({"status": status, "judged": asdict(judged)}).encode()
        while said:
            said = said[os.write(theirs, said) :]
    except BaseException:
        os.write(theirs, json.dumps({"failed": traceback.format_exc()[-2000:]}).encode())
    finally:
        os._exit(0)


def _grade(
    shell: Any, master: Master, submission: Submission, limits: Limits, seed: int
) -> tuple[str, Judged]:
    nothing = Judged(
        results={c.exercise: {"score": 0.0, "said": "Not run."} for c in master.checks},
        notes=list(submission.notes),
    )
    try:
        notebook = read_notebook(submission.path)
    except UnreadableError as error:
        nothing.notes.append(str(error))
        return "not run", nothing
    steps, notes = master.steps(notebook)
    judged = judge(shell, dict(shell.user_ns), master, steps, limits, seed_of(seed, submission))
    judged.notes = [*submission.notes, *notes, *judged.notes, *_failures(judged)]
    whole = not any(cell.error for cell in judged.cells)
    return ("graded" if whole else "partly run"), judged


def _failures(judged: Judged) -> list[str]:
    failed = [cell for cell in judged.cells if cell.error]
    told = [f"cell {cell.place}: {cell.error}" for cell in failed[:3]]
    more = len(failed) - len(told)
    return [*told, f"and {more} more cells failed"] if more > 0 else told


def seed_of(seed: int, submission: Submission) -> int:
    """Return the seed of a student: the same whenever and in whatever order they are graded."""
    words = f"{seed}\0{submission.student}".encode()
    return int.from_bytes(hashlib.sha256(words).digest()[:4], "big")


def _finish(selector: selectors.BaseSelector, running: dict[int, _Running], pipe: int) -> Graded:
    one = running.pop(pipe)
    selector.unregister(pipe)
    os.close(pipe)
    os.waitpid(one.pid, 0)
    seconds = time.monotonic() - one.begun
    try:
        said = json.loads(one.said)
        if "failed" in said:
            raise ValueError(said["failed"])
        from ibtools.course.grading.judge import Ran

        judged = Judged(**said["judged"])
        judged.cells = [Ran(**cell) for cell in said["judged"]["cells"]]
        return Graded(one.submission, judged, said["status"], seconds)
    except (ValueError, KeyError, TypeError) as error:
        judged = Judged(notes=[*one.submission.notes, f"the grader failed: {error}"])
        return Graded(one.submission, judged, "not run", seconds)
