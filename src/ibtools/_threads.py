"""Linear algebra on one thread while its matrices are small.

There the threads of a BLAS wait for each other longer than they work. How many there are holds for
the whole process, so the last of those who asked for one puts them back.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

# What the libraries read when they are imported.
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
} | {"VECLIB_MAXIMUM_THREADS": "1"}
"""The environment of a process whose libraries compute on one thread throughout."""

SMALL = 250_000
"""Entries of a matrix, 500 by 500, up to which a second thread gains less than it costs."""

_lock = Lock()
_asked = 0
_limits = ExitStack()


@cache
def _controller() -> ThreadpoolController:
    """Find the libraries that NumPy and SciPy compute with, which takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def one_thread(entries: int = 0) -> Iterator[None]:
    """Let BLAS use one thread in this block, where the largest matrix has so few `entries`.

    PyTorch has threads of its own, which its trainers see to.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools._threads import one_thread
    >>> with one_thread(entries=20 * 20):
    ...     solved = np.linalg.solve(np.eye(20), np.ones(20))
    """
    global _asked
    if entries > SMALL:
        yield
        return
    with _lock:
        _asked += 1
        if _asked == 1:
            _limits.enter_context(_controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            _asked -= 1
            if not _asked:
                _limits.close()
