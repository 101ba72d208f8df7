"""Time on one core, robust to whatever else the machine does."""

import os
import time

from ibtools._threads import ONE_THREAD

# CPU time, not wall time: another process on the same core costs seconds, not CPU seconds.
cpu = time.process_time


def use_one_core() -> None:
    """Confine this process to one core. Call it before numpy, torch or jax are imported."""
    os.environ.update(ONE_THREAD)
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):  # Linux; elsewhere the variables above have to do
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class OutOfTimeError(Exception):
    """The allowance is spent."""


class Allowance:
    """CPU seconds that a competitor may spend."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = cpu() + seconds

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return cpu() > self._end

    @property
    def left(self) -> float:
        """CPU seconds left, at least 0."""
        return max(0.0, self._end - cpu())

    def check(self) -> None:
        """Raise `OutOfTimeError` if nothing is left."""
        if self.spent:
            raise OutOfTimeError
