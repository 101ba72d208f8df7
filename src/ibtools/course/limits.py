"""Running what a student wrote, and getting control back whatever it does."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

SECONDS = 10.0  # for one part of an answer


class NoAnswerError(Exception):
    """What was handed in gave nothing that could be compared; the message says why."""


def limited(call: Callable[[], Any], seconds: float | None = None) -> Any:
    """Return what `call` returns; raise `NoAnswerError` if it raises or takes too long.

    It runs in a thread of its own, so that this returns on any system and under any event loop,
    even if the code catches every exception. A thread that is late is asked to stop; one that
    does not listen, or that hangs in a single call of C, dies with the process. Where answers come
    from strangers, run them in a process that can be killed.
    """
    allowed = SECONDS if seconds is None else seconds
    thread = _Call(call)
    thread.start()
    thread.join(allowed)
    if thread.found:
        return thread.found[0]
    if thread.raised is None:
        _stop(thread)
        raise NoAnswerError(f"It took longer than {allowed:g} s.")
    if isinstance(thread.raised, NoAnswerError):
        raise thread.raised
    raise NoAnswerError(f"It raised {_in_words(thread.raised)}.")


class _Call(threading.Thread):
    """A call in a thread of its own, with what it returned or raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True, name="answer")
        self.call = call
        self.found: list[Any] = []
        self.raised: BaseException | None = None

    def run(self) -> None:
        """Call it."""
        try:
            with np.errstate(all="ignore"):
                self.found.append(self.call())
        except BaseException as error:  # SystemExit too: it is the student's
            self.raised = error


def _in_words(error: BaseException) -> str:
    try:
        said = str(error).strip()
    except BaseException:
        said = ""
    return f"{type(error).__name__}: {said.splitlines()[0][:200]}" if said else type(error).__name__


def _stop(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread, a few times, in case it is caught."""
    for _ in range(5):
        if not thread.is_alive():
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
        )
        thread.join(0.05)
