"""``python -m ibtools.experiments list``, ``run NAME`` and ``report``."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ibtools.experiments.budget import (
    Budget,
    Lengths,
    counted,
    disk_free,
    in_words,
    measured,
    memory_available,
)
from ibtools.experiments.catalogue import EXPERIMENTS, Experiment, Task, experiment
from ibtools.experiments.first_images import first_images, keep_first_images
from ibtools.experiments.named_runs import RUNS, first_steps
from ibtools.experiments.results import (
    Result,
    commit_of_code,
    load_result,
    provenance,
    write_result,
)
from ibtools.sweeps import sweep

WORDS = ("list", "run", "report")
_UNASKED = 600.0  # seconds: what takes longer is asked about
_FIRST = 4  # of how many runs the first steps are kept


def read(
    arguments: Sequence[str], number: Mapping[str, Callable[[str], Any]]
) -> argparse.Namespace:
    """Return what was asked for.

    Parameters
    ----------
    arguments
        Of the command, the first one of `WORDS`.
    number
        How "seed", "jobs" and "minutes" are read.
    """
    parser = argparse.ArgumentParser(prog="python -m ibtools.experiments")
    asked = parser.add_subparsers(dest="experiment", required=True)
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="where results are kept (default: results)",
    )
    asked.add_parser("list", parents=[kept], help="the experiments that have a name")
    report = asked.add_parser("report", parents=[kept], help="tables of the results that are kept")
    report.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    run = asked.add_parser(
        "run",
        parents=[kept],
        help="run one of them, and keep its result",
        description="First steps are made to see what the whole takes; then it begins, if that is "
        "within --minutes, or under ten minutes, or you say yes. Ctrl-C stops it; the same command "
        "goes on. The result is written last, over the one before.",
    )
    run.add_argument("name", metavar="NAME")
    run.add_argument("--minutes", type=number["minutes"], help="not to begin what takes longer")
    run.add_argument("--yes", action="store_true", help="begin, however long it takes")
    run.add_argument("--seeds", nargs="+", type=number["seed"], help="each run from each of these")
    run.add_argument("--jobs", type=number["jobs"], default=1, help="runs at a time (default: 1)")
    run.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, …")
    run.add_argument("--out", type=Path, default=Path("experiments"), metavar="FOLDER")
    run.add_argument("--root", type=Path, help="folder of the data sets")
    return parser.parse_args(arguments)


def listed(folder: Path) -> str:
    """Return the list of experiments, and what the runs took that are kept in a folder.

    Parameters
    ----------
    folder
        Of results.
    """
    lines = []
    for one in EXPERIMENTS.values():
        lines += [one.name, f"    {one.shows}", f"    after {one.source}"]
        runs = counted(len(one.tasks), "run")
        if (folder / f"{one.name}.json").exists():
            about = load_result(one.name, folder).about
            machine = about["machine"]
            lines.append(
                f"    {runs} took {in_words(about['seconds'])} of processor time and "
                f"{about['memory']:.1f} GB on {machine.get('gpu', machine['processor'])}"
            )
        else:
            lines.append(f"    {runs}; no result is kept in {folder}")
    return "\n".join(lines)


def report(names: Sequence[str], folder: Path) -> str:
    """Return a table for each result.

    Parameters
    ----------
    names
        Of experiments; all that are kept if there are none.
    folder
        Of results.

    Raises
    ------
    ValueError, OSError
        If a name is none of an experiment, or nothing is kept of it.
    """
    wanted = [experiment(name).name for name in names]
    wanted = wanted or [name for name in EXPERIMENTS if (folder / f"{name}.json").exists()]
    if not wanted:
        raise ValueError(
            f"--results {folder}: no result is kept there; name another folder, or make one with "
            "python -m ibtools.experiments run"
        )
    return "\n\n".join(_table(load_result(name, folder)) for name in wanted)


def _table(result: Result) -> str:
    about = result.about
    machine = about["machine"]
    taken = f"{in_words(about['seconds'])} of processor time"
    told = (
        f"{result.name}: {EXPERIMENTS[result.name].shows}\n"
        f"{about['command']}\n"
        f"{about['date']}, commit {about['commit']}, {taken} on "
        f"{machine.get('gpu', machine['processor'])}"
    )
    rows = [_row(run) for run in result.runs]
    header = list(rows[0])
    table = [header, *([row[name] for name in header] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
             for line in table)  # fmt: skip
    return "\n".join([told, *lines])


def _row(run: Mapping[str, Any]) -> dict[str, str]:
    settings = ("schedule", "bias", "noise", "scale", "seed")
    row = {name: str(run[name]) for name in settings if name in run}
    for name in (
        "log10_loss",
        "layer_product_margin",
        "stable_rank_plus",
        "stable_rank_minus",
        "margin_spread",
    ):
        if name in run:
            # What a network has not is NaN, and None where it was kept.
            last = run[name][-1]
            row[name] = "none" if last is None or np.isnan(last) else f"{last:.4g}"
    if "test_accuracy" in run:
        row["test_accuracy"] = f"{run['test_accuracy']:.4f}"
    for split in ("train", "test"):
        if f"{split}_distance" in run:
            row[f"distance, {split}"] = " → ".join(
                f"{run[f'{split}_distance'][i]:.3f}" for i in (0, -1)
            )
    return row


def run(options: argparse.Namespace) -> int:
    """Run an experiment and keep its result; return 0, or 1 if a run failed.

    Parameters
    ----------
    options
        As `read` gives them.

    Raises
    ------
    ValueError
        If there is no such experiment, or it takes more than there is.
    KeyboardInterrupt
        On Ctrl-C, or if the answer was no.
    """
    chosen = experiment(options.name)
    if options.seeds is not None:
        chosen = chosen.with_seeds(list(dict.fromkeys(options.seeds)))
    root = None if options.root is None else str(options.root)
    print(f"{chosen.name}: {chosen.shows}\nmaking the first steps to see what it takes …")
    kept = _lengths_kept(chosen.name, options.results)
    budget = measured(chosen, device=options.device, root=root, kept=kept)
    print(
        f"{counted(len(chosen.tasks), 'run')}: {budget.words} "
        f"(from first steps on {options.device})"
    )
    _check(budget, options)
    home = options.out / chosen.name
    commit = commit_of_code()
    # A run alone shows its epochs and the time that is left; many, how many are done.
    tasks = [
        {
            **task,
            "out": str((home / "nets").absolute()),
            "root": root,
            "device": options.device,
            "progress": options.jobs == 1,
        }
        for task in chosen.tasks
    ]
    runs = sweep(RUNS[chosen.kind], tasks, folder=home / "runs", jobs=options.jobs)
    if runs.message == "interrupted":
        raise KeyboardInterrupt
    if not runs.finished:
        print(f"{runs.message}; the others are kept in {home}", file=sys.stderr)
        return 1
    columns = [dict(one) for one in runs.results if one is not None]
    seconds = float(sum(one.pop("cpu_seconds") for one in columns))
    memory = float(max(one.pop("memory") for one in columns))
    result = Result(
        chosen.name,
        provenance(_command(options), commit, options.device, seconds, memory),
        tuple({**task, **one} for task, one in zip(chosen.tasks, columns, strict=True)),
        _first(chosen, options.results, root),
    )
    print(f"the result is in {write_result(result, options.results)}\n{_table(result)}")
    return 0


def _lengths_kept(name: str, folder: Path) -> Lengths | None:
    """Return how long the longest flow took that is kept, if one is."""
    if not (folder / f"{name}.json").exists():
        return None
    flows = [run for run in load_result(name, folder).runs if run.get("schedule") == "flow"]
    return max(map(_lengths, flows), key=sum, default=None)


def _lengths(run: Mapping[str, Any]) -> Lengths:
    # An epoch of minibatches is a step without a size.
    own = max(
        step for step, size in zip(run["steps"], run["step_size"], strict=True) if size is None
    )
    return own, run["steps"][-1] - own


def _check(budget: Budget, options: argparse.Namespace) -> None:
    """Refuse what cannot be, and ask about what takes long."""
    jobs = options.jobs if options.jobs > 0 else 1
    seconds = budget.seconds / jobs
    if options.minutes is not None and seconds > 60 * options.minutes:
        raise ValueError(
            f"--minutes {options.minutes:g} does not suffice for {options.name}, it takes about "
            f"{in_words(seconds)} here; allow --minutes {np.ceil(seconds / 60 * 1.2):.0f}"
        )
    if (there := memory_available()) < budget.memory * jobs:
        raise ValueError(
            f"--jobs {options.jobs} take {budget.memory * jobs:.1f} GB of memory and {there:.1f} "
            "GB are free; take fewer, or close other programs"
        )
    if (room := disk_free(options.out)) < budget.disk:
        raise ValueError(
            f"--out {options.out} has {room:.2g} GB free and checkpoints take up to "
            f"{budget.disk:.2g} GB; name a folder on another disk"
        )
    if options.minutes is not None or options.yes or seconds <= _UNASKED:
        return
    if not sys.stdin.isatty():
        raise ValueError(
            f"{options.name} takes about {in_words(seconds)} here; say --yes if it is to begin, or "
            f"--minutes {np.ceil(seconds / 60 * 1.2):.0f}"
        )
    if not input("Begin? [y/N] ").strip().lower().startswith("y"):
        raise KeyboardInterrupt("nothing was begun")


def _command(options: argparse.Namespace) -> str:
    words = ["python -m ibtools.experiments run", options.name]
    if options.seeds is not None:
        words += ["--seeds", *map(str, options.seeds)]
    if options.device != "cpu":
        words += ["--device", options.device]
    return " ".join(words)


def _first(chosen: Experiment, folder: Path, root: str | None) -> dict[str, Any]:
    data = data_of(chosen.tasks[0])
    keep_first_images(data, folder, root)
    X, y = first_images(data, folder)
    return {
        label_of(task): dict(first_steps(chosen.kind, task, X, y)) for task in chosen.tasks[:_FIRST]
    }


def data_of(task: Task) -> str:
    """Return which data set a task is about, "mnist" or "fashion"."""
    return "fashion" if task["data"].startswith("fashion") else "mnist"


def label_of(task: Task) -> str:
    """Return what tells a task from the others of its experiment."""
    told = ("schedule", "bias", "noise", "scale", "seed")
    return ", ".join(f"{name} {task[name]}" for name in told if name in task)
