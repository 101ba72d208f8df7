"""Independent tasks in processes of one machine or on a cluster, one outcome after another."""

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import joblib

from ibtools._validation import count
from ibtools._validation import function as is_function


@dataclass(frozen=True)
class Outcome:
    """What became of one task.

    Attributes
    ----------
    index
        The place of the task in the list that was given.
    value
        What the function returned; ``None`` if it failed.
    error
        Why it failed, with the kind of error; ``None`` if it did not.
    traceback
        Where it failed; empty if it did not.
    """

    index: int
    value: Any = None
    error: str | None = None
    traceback: str = ""


def outcomes(
    function: Callable[..., Any],
    tasks: Sequence[Mapping[str, Any]],
    *,
    jobs: int = -1,
    cluster: str | None = None,
) -> Iterator[Outcome]:
    """Call a function with each of many settings, and yield what comes of it as it comes.

    A task that raises does not stop the others. Inside ``joblib.parallel_config("dask")`` the tasks
    go to that cluster; otherwise each has a process of this machine, with its share of the threads.

    Parameters
    ----------
    function
        Called as ``function(**task)``. A process that is not this one runs it, so it must not rely
        on what this one has in memory.
    tasks
        The settings of each call.
    jobs
        How many at a time; -1 for as many as there are cores, 1 for this process itself.
    cluster
        The address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``, if the tasks are to run
        there.

    Yields
    ------
    Outcome
        In the order in which tasks finish.

    Raises
    ------
    TypeError
        If `function` is not one, or cannot be called with the names of a task.
    ValueError
        If `jobs` is neither positive nor -1.
    ModuleNotFoundError
        If a `cluster` is named and Dask is not installed.
    OSError
        If nobody answers at that address.

    See Also
    --------
    sweep : The same, with each result on disk.

    Examples
    --------
    >>> from ibtools.sweeps import outcomes
    >>> def square(x):
    ...     return x * x
    >>> sorted(outcome.value for outcome in outcomes(square, [{"x": 2}, {"x": 3}], jobs=1))
    [4, 9]
    """
    check_tasks(function, tasks)
    if jobs != -1:
        count("jobs", jobs)
    return _running(function, tasks, jobs, cluster)


def _running(
    function: Callable[..., Any],
    tasks: Sequence[Mapping[str, Any]],
    jobs: int,
    cluster: str | None,
) -> Iterator[Outcome]:
    with ExitStack() as stack:
        if cluster is not None:
            stack.enter_context(_on(cluster))
        # One task a batch: a batch is lost as a whole when the run is killed.
        parallel = joblib.Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")
        calls = (joblib.delayed(_attempt)(function, i, dict(task)) for i, task in enumerate(tasks))
        running = parallel(calls)
        try:
            yield from running
        finally:
            running.close()


def check_tasks(function: Callable[..., Any], tasks: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what cannot be called, before the first call is made."""
    is_function("function", function, of="the settings of a task")
    if isinstance(tasks, str | Mapping) or not isinstance(tasks, Sequence):
        raise TypeError(
            f"tasks must be a list of settings, got {type(tasks).__name__}; make one with "
            "grid(seed=range(3))"
        )
    signature = inspect.signature(function)
    for i, task in enumerate(tasks):
        if not isinstance(task, Mapping):
            raise TypeError(
                f"tasks[{i}] must be a dict of settings, got {type(task).__name__}; make the list "
                "with grid(seed=range(3))"
            )
        try:
            signature.bind(**task)
        except TypeError as error:
            name = getattr(function, "__name__", "the function")
            raise TypeError(
                f"tasks[{i}] must name the parameters of {name}{signature}, got {dict(task)} "
                f"({error}); name each of them once"
            ) from None


def _attempt(function: Callable[..., Any], index: int, task: Mapping[str, Any]) -> Outcome:
    try:
        return Outcome(index, function(**task))
    except Exception as error:  # it is the task's, and told with the task
        told = f"{type(error).__name__}: {error}"
        return Outcome(index, error=told, traceback=traceback.format_exc())


@contextmanager
def _on(cluster: str) -> Iterator[None]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "cluster needs Dask, which is not installed; install it with\n"
            "    pip install distributed",
            name="distributed",
        ) from error
    try:
        client = Client(cluster, timeout=10)
    except (OSError, ValueError) as error:
        raise OSError(
            f"no Dask scheduler answers at cluster={cluster!r} ({error}); start one with "
            "`dask scheduler`, or give the address that it prints"
        ) from error
    with client, joblib.parallel_config("dask"):
        yield
