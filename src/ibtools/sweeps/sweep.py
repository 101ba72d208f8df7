"""A sweep: one function at many settings, each result on disk as soon as it is there."""

import hashlib
import inspect
import itertools
import json
import math
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from tqdm.auto import tqdm

from ibtools._console import read_record
from ibtools._files import made_folder, whole_file, write_whole
from ibtools._validation import quiet
from ibtools.sweeps.outcomes import check_tasks, outcomes

Setting = Mapping[str, Any]
Result = Mapping[str, Any]

_ALONE = "value"  # what a result is called that is no dict


@dataclass(frozen=True)
class Sweep:
    """What a sweep has so far.

    Attributes
    ----------
    tasks
        The settings, in the order in which they were given.
    results
        For each task what the function returned, a dict; ``None`` where there is nothing yet. What
        was returned as a single number, word or array is called "value".
    failures
        Why tasks failed, by their place in `tasks`: the kind of the error and its message. Where
        it was raised, the traceback, stands with the settings in the folder's
        ``tasks/*.failed.json``, one file a task, until the task succeeds.
    message
        "finished", "interrupted", or how many tasks failed.
    """

    tasks: tuple[Setting, ...]
    results: tuple[Result | None, ...]
    failures: Mapping[int, str]
    message: str

    @property
    def finished(self) -> bool:
        """Whether every task has a result."""
        return all(result is not None for result in self.results)

    def column(self, name: str) -> Shaped[np.ndarray, "tasks ..."]:
        """Return a setting or a part of the results, one row a task.

        Parameters
        ----------
        name
            The name of a parameter, or of what the function returned.

        Returns
        -------
        numpy.ndarray
            Of parameters for all tasks, of results for those that have one (see `done`). Where
            tasks differ in shape, as curves of several lengths do, an array of arrays, of objects.

        Raises
        ------
        ValueError
            If nothing has this name, or some results have not.
        """
        if self.tasks and name in self.tasks[0]:
            return _stacked([task[name] for task in self.tasks])
        rows = [result for result in self.results if result is not None]
        if not rows or name not in rows[0]:
            known = sorted({*(self.tasks[0] if self.tasks else ()), *(rows[0] if rows else ())})
            raise ValueError(
                f"name must be one of {known}, got {name!r}; take one that the function takes or "
                "returns"
            )
        without = [i for i, row in enumerate(self.results) if row is not None and name not in row]
        if without:
            raise ValueError(
                f"name must be of what all tasks returned, got {name!r}, which the task "
                f"{dict(self.tasks[without[0]])} did not; return it always, numpy.nan where there "
                "is none, or read .results"
            )
        return _stacked([row[name] for row in rows])

    @property
    def done(self) -> Shaped[np.ndarray, " tasks"]:
        """Which tasks have a result."""
        return np.array([result is not None for result in self.results], dtype=bool)

    def table(
        self, name: str, *, rows: str, columns: str
    ) -> tuple[Shaped[np.ndarray, " r"], Shaped[np.ndarray, " c"], Shaped[np.ndarray, "r c"]]:
        """Return a number of the results over two parameters, as for a phase diagram.

        Parameters
        ----------
        name
            What of the results; a number.
        rows, columns
            The two parameters.

        Returns
        -------
        tuple
            The values of the first parameter, (r,), those of the second, (c,), both rising, and the
            mean over all tasks with this pair, (r, c); NaN where there is no result yet.

        Raises
        ------
        ValueError
            If one of the names is none of this sweep's, or the first is of no single numbers.
        """
        done = self.done
        found = self.column(name)
        if found.ndim != 1 or found.dtype.kind not in "biuf":
            raise ValueError(
                f"name must be of one number for each task, got {name!r} with "
                f"{found.dtype.name if found.ndim == 1 else f'shape {found.shape[1:]}'}; let the "
                f"function return a number of it under a name of its own, or take column({name!r})"
            )
        values = found.astype(float)
        row, column = self.column(rows), self.column(columns)
        across, down = np.unique(row), np.unique(column)
        total = np.zeros((across.size, down.size))
        times = np.zeros_like(total)
        place = np.searchsorted(across, row[done]), np.searchsorted(down, column[done])
        np.add.at(total, place, values)
        np.add.at(times, place, 1.0)
        return across, down, np.divide(total, times, np.full_like(total, np.nan), where=times > 0)


def _stacked(values: Sequence[Any]) -> Shaped[np.ndarray, "tasks ..."]:
    """Return values as one array, of objects where their shapes differ."""
    try:
        return np.array(values)
    except ValueError:  # ragged
        column = np.empty(len(values), dtype=object)
        for i, value in enumerate(values):
            column[i] = value if value is None else np.asarray(value)
        return column


def grid(**axes: Sequence[Any]) -> list[dict[str, Any]]:
    """Return all combinations of settings.

    Parameters
    ----------
    **axes
        For each parameter the values it takes.

    Returns
    -------
    list
        One dict a combination; the last parameter changes first.

    Raises
    ------
    TypeError
        If an axis is no list of values.

    See Also
    --------
    sweep : Runs a function on them.

    Examples
    --------
    >>> from ibtools.sweeps import grid
    >>> grid(scale=[0.1, 1.0], seed=range(2))
    [{'scale': 0.1, 'seed': 0}, {'scale': 0.1, 'seed': 1}, {'scale': 1.0, 'seed': 0}, \
{'scale': 1.0, 'seed': 1}]
    """
    for name, values in axes.items():
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise TypeError(
                f"{name} must be a list of values, got {values!r}; put one value in a list: "
                f"{name}=[{values!r}]"
            )
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def sweep(
    function: Callable[..., Any],
    tasks: Sequence[Setting],
    *,
    folder: str | os.PathLike[str],
    jobs: int = -1,
    cluster: str | None = None,
) -> Sweep:
    """Run a function at many settings; keep each result; go on where an earlier call stopped.

    Each finished task is a file in `folder`, written whole. The same call again runs only what has
    no result: what was interrupted, what failed, and settings that are new. A task that raises does
    not stop the others, and ``Sweep.failures`` has the reason. Ctrl-C returns what there is.

    Parameters
    ----------
    function
        Called as ``function(**task)`` in another process: it imports what it needs, or is at home
        in a module that does. It returns a number, a word, an array, or a dict of these.
    tasks
        The settings of each call: numbers, words, truth values, ``None`` or lists of these. Data
        are drawn in the function, from a seed among its settings.
    folder
        Where results are kept; created if it is not there.
    jobs
        How many tasks at a time; -1 for as many as there are cores, 1 for none but this process.
    cluster
        The address of a Dask scheduler, if tasks are to run there; inside
        ``joblib.parallel_config("dask")`` they run on that one. Results come back to this machine.

    Returns
    -------
    Sweep
        The results in the order of `tasks`, and why some are missing.

    Raises
    ------
    TypeError
        If `function` cannot be called with a task, or a setting is none of the kinds above.
    ValueError
        If two tasks are the same, or the folder holds results of another function.
    OSError
        If the folder cannot be used, a file in it is damaged, or no cluster answers.

    See Also
    --------
    grid : All combinations of some values.
    load_sweep : What is in a folder, without running anything.
    outcomes : The same, with nothing kept.

    Examples
    --------
    >>> import tempfile
    >>> from ibtools.sweeps import grid, sweep
    >>> def square(x, seed):
    ...     return {"square": x * x}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     runs = sweep(square, grid(x=[1.0, 2.0], seed=[0]), folder=folder, jobs=1)
    >>> runs.message, runs.column("square").tolist()
    ('finished', [1.0, 4.0])
    """
    check_tasks(function, tasks)
    plain = [_plain(task) for task in tasks]
    names = [_name(task) for task in plain]
    for i, name in enumerate(names):
        if (first := names.index(name)) != i:
            raise ValueError(
                f"tasks[{i}] must be another than tasks[{first}], both are {plain[i]}; drop one, "
                "or give each a seed of its own"
            )
    home = Path(folder)
    _claim(home, function)
    kept = _Kept(home)
    left = [i for i, name in enumerate(names) if not kept.has(name)]
    failures: dict[int, str] = {}
    interrupted = False
    bar = tqdm(
        total=len(tasks),
        initial=len(tasks) - len(left),
        unit="task",
        disable=quiet(),
        desc=home.name,
    )
    with bar:
        try:
            for outcome in outcomes(function, [plain[i] for i in left], jobs=jobs, cluster=cluster):
                i = left[outcome.index]
                error, trace = outcome.error, outcome.traceback
                if error is None:
                    try:
                        kept.keep(names[i], plain[i], _named(outcome.value))
                    except TypeError as unfit:
                        error, trace = f"TypeError: {unfit}", str(unfit)
                if error is not None:
                    failures[i] = error
                    kept.tell(names[i], plain[i], trace)
                    bar.set_postfix_str(f"{len(failures)} failed")
                bar.update()
        except KeyboardInterrupt:
            interrupted = True
    return _gathered(kept, plain, failures, interrupted=interrupted)


def load_sweep(folder: str | os.PathLike[str]) -> Sweep:
    """Return what a folder has of a sweep.

    Parameters
    ----------
    folder
        What was given to `sweep`, which may be running.

    Returns
    -------
    Sweep
        The tasks that have a result or failed, sorted by their settings.

    Raises
    ------
    OSError
        If there is no sweep, or a file of it is damaged.

    See Also
    --------
    sweep : Fills the folder.

    Examples
    --------
    >>> import tempfile
    >>> from ibtools.sweeps import grid, load_sweep, sweep
    >>> def square(x):
    ...     return x * x
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = sweep(square, grid(x=[3.0, 2.0]), folder=folder, jobs=1)
    ...     load_sweep(folder).column("value").tolist()
    [4.0, 9.0]
    """
    home = Path(folder)
    read_record(home / "sweep.json", "name the folder of a sweep")
    kept = _Kept(home)
    found = {**kept.failed(), **{name: kept.settings(name) for name in kept.names()}}
    names = sorted(found, key=lambda name: _sortable(found[name]))
    told = {i: kept.why(name) for i, name in enumerate(names) if not kept.has(name)}
    return _gathered(kept, [found[name] for name in names], told, interrupted=False)


class _Kept:
    """The results of a sweep on disk: a file for each task, with its settings in it."""

    def __init__(self, home: Path) -> None:
        self.home = made_folder(home / "tasks")

    def _file(self, name: str) -> Path:
        return self.home / f"{name}.npz"

    def _told(self, name: str) -> Path:
        return self.home / f"{name}.failed.json"

    def has(self, name: str) -> bool:
        return self._file(name).exists()

    def names(self) -> list[str]:
        return [path.stem for path in self.home.glob("*.npz")]

    def failed(self) -> dict[str, Setting]:
        mend = "delete it"
        paths = self.home.glob("*.failed.json")
        told = {path.name.partition(".")[0]: read_record(path, mend) for path in paths}
        return {name: dict(record["settings"]) for name, record in told.items()}  # type: ignore[call-overload]

    def why(self, name: str) -> str:
        trace = str(read_record(self._told(name), "delete it")["traceback"])
        return trace.strip().splitlines()[-1]

    def keep(self, name: str, task: Setting, result: Result) -> None:
        with whole_file(self._file(name)) as file:
            np.savez(file, allow_pickle=False, settings=json.dumps(task), **_prefixed(result))
        self._told(name).unlink(missing_ok=True)

    def tell(self, name: str, task: Setting, trace: str) -> None:
        record = {"settings": task, "traceback": trace}
        write_whole(self._told(name), json.dumps(record, indent=1))

    def _read(self, name: str) -> dict[str, np.ndarray]:
        path = self._file(name)
        try:
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        except (ValueError, KeyError, EOFError, OSError) as error:
            raise OSError(
                f"{path} cannot be read ({error}); delete it, and the same sweep runs it again"
            ) from error

    def settings(self, name: str) -> dict[str, Any]:
        return dict(json.loads(str(self._read(name)["settings"])))

    def result(self, name: str) -> Result | None:
        if not self.has(name):
            return None
        values = self._read(name)
        found = {k.partition(".")[2]: v for k, v in values.items() if k.startswith("result.")}
        return {k: v.item() if v.ndim == 0 else v for k, v in found.items()}


def _gathered(
    kept: _Kept, tasks: Sequence[Setting], failures: Mapping[int, str], *, interrupted: bool
) -> Sweep:
    results = tuple(kept.result(_name(task)) for task in tasks)
    message = "interrupted" if interrupted else "finished"
    if failures and not interrupted:
        first = min(failures)
        message = (
            f"{len(failures)} of {len(tasks)} tasks failed, the first with {dict(tasks[first])}: "
            f"{failures[first]}"
        )
    return Sweep(tuple(tasks), results, dict(failures), message)


def _claim(home: Path, function: Callable[..., Any]) -> None:
    """Say whose results a folder holds; refuse one that holds another's."""
    about = {"function": f"{function.__module__}.{function.__qualname__}", "code": _code(function)}
    place = home / "sweep.json"
    if not place.exists():
        made_folder(home)
        write_whole(place, json.dumps(about, indent=1))
        return
    found = read_record(place, f"delete {home} and run the sweep again")
    if found != about:
        changed = "an earlier version of it" if found["function"] == about["function"] else "it"
        told = changed if changed != "it" else str(found["function"])
        raise ValueError(
            f"function must be the one whose results are in {home}, got {about['function']}, and "
            f"they are those of {told}; name another folder, or delete that one"
        )


def _code(function: Callable[..., Any]) -> str:
    """Return what changes when the function's text does."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt
        code = getattr(function, "__code__", None)
        text = repr((code.co_code, code.co_consts, code.co_names) if code else function)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(task: Setting) -> dict[str, Any]:
    return {name: _plain_setting(name, value) for name, value in task.items()}


def _plain_setting(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, list | tuple):
        return [_plain_setting(name, one) for one in value]
    raise TypeError(
        f"{name} must be a finite number, a word, a truth value, None or a list of these, got "
        f"{type(value).__name__}; let the function make it from such settings, data from a seed"
    )


def _name(task: Setting) -> str:
    return hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest()[:16]


def _sortable(task: Setting) -> list[tuple[bool, float, str]]:
    """Return a key by which numbers come in their order and words in theirs."""
    return [
        (isinstance(v, str), float(v) if isinstance(v, int | float) else 0.0, str(v))
        for v in task.values()
    ]


def _named(value: Any) -> dict[str, np.ndarray]:
    """Return what a function returned as arrays with names."""
    given = value if isinstance(value, Mapping) else {_ALONE: value}
    if not all(isinstance(name, str) for name in given):
        raise TypeError("a result must have words as names; use str")
    arrays = {name: np.asarray(one) for name, one in given.items()}
    for name, one in arrays.items():
        if one.dtype.kind not in "biufcUS":
            raise TypeError(
                f"the result {name!r} must be a number, a word or an array of these, got "
                f"{type(given[name]).__name__}; return a dict of what is wanted of it"
            )
    return arrays


def _prefixed(result: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {f"result.{name}": value for name, value in result.items()}
