"""Time all competitors on one problem, taking turns."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tqdm import tqdm

from benchmarks.clock import Allowance, cpu
from benchmarks.competitors.base import Attempt, Competitor, Run
from benchmarks.competitors.ours import Flow, FlowToLimit
from benchmarks.problem import Problem, Reference

# What takes less is worth repeating: its median is steadier.
_QUICK = 1.0
LEFT_OUT = "not run: earlier no step was done within the cap"


@dataclass(frozen=True)
class Row:
    """One competitor on one problem. Times are CPU seconds; None where there is nothing."""

    problem: str
    scale: float
    group: str
    name: str
    seconds: float | None = None
    repetitions: int = 0
    limit_ratio: float | None = None
    path_ratio: float | None = None
    limit_error: float | None = None
    midway_error: float | None = None
    finished: bool = False
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


@dataclass
class _Entry:
    competitor: Competitor
    run: Run
    attempt: Attempt
    times: list[float]


def compare(
    problem: Problem,
    reference: Reference,
    ours: Sequence[Competitor],
    others: Iterable[Competitor],
    *,
    cap: float,
    repetitions: int,
    hopeless: set[str],
) -> list[Row]:
    """Return a row for each: `ours` first, of which the first two are what ratios refer to.

    Each runs once; then the quick ones, and ours always, run again in turn, so that a slow minute
    of the machine meets them all. `hopeless` are not run; who proves so is added to it.
    """
    entries: list[_Entry] = []
    absent: dict[str, str] = {}
    everyone = [*ours, *others]
    watched = tqdm(everyone, desc=problem.label, leave=False, disable=None)
    for competitor in watched:
        if competitor.name in hopeless:
            absent[competitor.name] = LEFT_OUT
            continue
        try:
            run = competitor.prepare(problem, reference)
        except ImportError as error:
            absent[competitor.name] = f"not run: {error.name or error} is not installed here"
            continue
        attempt, seconds = _timed(run, cap)
        entries.append(_Entry(competitor, run, attempt, [seconds]))
        if attempt.hopeless:
            hopeless.add(competitor.name)
    for _ in range(repetitions - 1):
        for entry in entries:
            if entry.times[0] < _QUICK or entry.competitor in ours:
                entry.times.append(_timed(entry.run, cap)[1])
    seconds = {entry.competitor.name: statistics.median(entry.times) for entry in entries}
    limit, path = seconds[ours[0].name], seconds[ours[1].name]
    rows = []
    by_name = {entry.competitor.name: entry for entry in entries}
    for competitor in everyone:
        if competitor.name in absent:
            note = absent[competitor.name]
            rows.append(
                Row(problem.label, problem.scale, competitor.group, competitor.name, note=note)
            )
            continue
        entry = by_name[competitor.name]
        attempt, taken = entry.attempt, seconds[competitor.name]
        follows = competitor.group in "abcd" or isinstance(competitor, Flow | FlowToLimit)
        rows.append(
            Row(
                problem.label,
                problem.scale,
                competitor.group,
                competitor.name,
                taken,
                len(entry.times),
                taken / limit,
                taken / path if follows else None,
                reference.limit_error(attempt.w),
                None if attempt.midway is None else reference.midway_error(attempt.midway),
                attempt.finished,
                attempt.note,
            )
        )
    return rows


def _timed(run: Run, cap: float) -> tuple[Attempt, float]:
    start = cpu()
    attempt = run(Allowance(cap))
    return attempt, cpu() - start
