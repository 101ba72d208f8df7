"""The student's side: run the cells, then hand over what they left, when asked.

It runs in a process of its own. What it says is believed to be the student's answer, and nothing
else: it has no part in what is said of it.
"""

import contextlib
import io
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np

from ibtools.course.grading.master import Step
from ibtools.course.grading.plain import from_json, pack, to_json

MOST_TEXT = 4000  # letters of what a cell prints that are kept
AGAIN = 0.25  # seconds until a cell that goes on is told once more
PATIENCE = 5  # a cell that sleeps may take so many times its seconds of CPU
_QUIET_MAGICS = ("matplotlib", "pip", "conda")


class TookTooLong(BaseException):
    """Raised in a cell whose time is over; no ``except Exception`` stops it."""


class Bounded(io.TextIOBase):
    """A stream that keeps the beginning of what is written and counts the rest."""

    def __init__(self) -> None:
        self.kept, self.written = "", 0

    def write(self, text: str) -> int:
        """Keep it as long as there is room."""
        self.written += len(text)
        if len(self.kept) < MOST_TEXT:
            self.kept += text[: MOST_TEXT - len(self.kept)]
        return len(text)

    def isatty(self) -> bool:
        """Return that nobody watches."""
        return False

    def text(self) -> str:
        """Return what is kept, and how much is not."""
        more = self.written - len(self.kept)
        return self.kept + (f"\n… and {more} letters more" if more > 0 else "")


def prepare() -> Any:
    """Return an IPython shell, before there are children; they inherit it."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "NoColor"
    settings.InteractiveShell.cache_size = 0
    shell: Any = InteractiveShell.instance(config=settings)
    for name in _QUIET_MAGICS:  # they are for Jupyter, or for a network
        shell.register_magic_function(_do_nothing, "line", name)
    shell.showtraceback = _do_nothing
    shell.showsyntaxerror = _do_nothing
    return shell


def _do_nothing(*_: Any, **__: Any) -> None:
    """Stand in for a magic that means nothing here."""


def serve(
    shell: Any, steps: Sequence[Step], pipe: Any, *, seconds: float, seed: int, network: bool
) -> None:
    """Run the cells, tell of each, and answer questions until there are no more."""
    me = os.getpid()

    def say(message: Any) -> None:
        if os.getpid() != me:  # a copy that a cell forked
            os._exit(0)
        pipe.sendall(pack(message))

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (students use it)
    say({"say": "begun", "network": network})
    for index, step in enumerate(steps):
        say({"say": "cell", "index": index})
        error, text = _run(shell, step.source, seconds)
        say({"say": "ran", "index": index, "error": error, "text": text})
    _answer(shell.user_ns, pipe, say, seconds)


def _run(shell: Any, source: str, seconds: float) -> tuple[str, str]:
    out = Bounded()
    error = ""
    with _timed(seconds), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            result = shell.run_cell(source)
            raised = result.error_before_exec or result.error_in_exec
            error = in_words(raised) if raised is not None else ""
        except BaseException as raised:
            error = in_words(raised)
    return error, out.text()


@contextlib.contextmanager
def _timed(seconds: float) -> Iterator[None]:
    """Raise in what runs when its time is over: of CPU, or, if it sleeps, by the clock."""

    def stop(number: int, frame: FrameType | None) -> None:
        what = "of CPU" if number == signal.SIGPROF else "by the clock"
        most = seconds if number == signal.SIGPROF else PATIENCE * seconds
        raise TookTooLong(f"it was stopped after {most:g} s {what}")

    signal.signal(signal.SIGPROF, stop)
    signal.signal(signal.SIGALRM, stop)
    # Again and again: a cell may catch whatever is raised in it.
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


def in_words(error: BaseException) -> str:
    """Return an error in a line: its type, what it says, and where in the cell."""
    try:
        said = " ".join(str(error).split())[:300]
    except BaseException:
        said = ""
    if isinstance(error, TookTooLong):
        return said
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    if line is None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "ipython" in f.filename]
        frames = [f for f in frames if "site-packages" not in f.filename]
        line = frames[-1].lineno if frames else None
    if isinstance(error, SyntaxError):
        said = (error.msg or "")[:300]
    where = f" (line {line})" if line else ""
    return f"{type(error).__name__}{f': {said}' if said else ''}{where}"


def _answer(names: dict[str, Any], pipe: Any, say: Callable[[Any], None], seconds: float) -> None:
    functions: list[Any] = []

    def keep(function: Any) -> int:
        functions.append(function)
        return len(functions) - 1

    say({"say": "ready"})
    read = reader(pipe)
    while True:
        try:
            asked = _next(read)
        except EOFError:
            return
        if "name" in asked:
            if asked["name"] not in names:
                say({"missing": True})
                continue
            answer = names[asked["name"]]
        else:
            arguments = from_json(asked["arguments"], lambda index: functions[index])
            try:
                with _timed(seconds):
                    answer = functions[asked["call"]](*arguments)
            except BaseException as error:
                say({"raised": in_words(error)})
                continue
        try:
            say({"value": to_json(answer, keep)})
        except Exception as error:
            say({"raised": f"its value cannot be read: {in_words(error)}"})


def _next(read: Callable[[int], bytes]) -> Any:
    from ibtools.course.grading.plain import unpack

    return unpack(read)


def reader(pipe: Any) -> Callable[[int], bytes]:
    """Return a function that reads so many bytes from a socket."""

    def read(size: int) -> bytes:
        parts = []
        while size:
            part = pipe.recv(min(size, 2**20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    return read


def into_nowhere() -> None:
    """Point the streams of this process where nobody reads; what C writes goes there."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.stdin = io.StringIO("")
