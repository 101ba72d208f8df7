"""The 100 limits of Figure 7.1 of Azulay et al. (2021), d=1000, N=100."""

import statistics

import numpy as np

from benchmarks.clock import Allowance, cpu
from benchmarks.competitors.base import Competitor
from benchmarks.problem import DiagonalProblem, draw, solve
from ibtools.models import DiagonalNet
from ibtools.theory import implicit_limit

SCALES = np.logspace(-5, -0.6, 20)
SHAPES = (0.0, 0.5, 0.7, 0.9, 0.99)
# Others are timed at these five of the 100 points, spread evenly over √k; 20 times that is for all.
_SAMPLE = ((1, 0.0), (6, 0.5), (11, 0.7), (16, 0.9), (18, 0.99))


def ours(*, repetitions: int, seed: int) -> float:
    """Return the CPU seconds for all 100 points, a median."""
    problem = draw(n=100, d=1000, scale=1.0, seed=seed)
    times = []
    for _ in range(repetitions):
        start = cpu()
        for shape in SHAPES:
            for scale in SCALES:
                net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=1000)
                implicit_limit(net, problem.X, problem.y)
        times.append(cpu() - start)
    return statistics.median(times)


def sample(*, seed: int) -> list[DiagonalProblem]:
    """Return the problems at which the others are timed."""
    return [
        draw(n=100, d=1000, scale=float(SCALES[index]), shape=shape, seed=seed)
        for index, shape in _SAMPLE
    ]


def others(
    competitors: list[Competitor], *, cap: float, seed: int
) -> dict[str, tuple[float, float, bool]]:
    """Return for each: CPU seconds for 100 points, worst error of the sample, whether all ended."""
    problems = sample(seed=seed)
    references = [solve(problem) for problem in problems]
    results = {}
    for competitor in competitors:
        total, worst, finished = 0.0, 0.0, True
        for problem, reference in zip(problems, references, strict=True):
            try:
                run = competitor.prepare(problem, reference)
            except ImportError:
                break
            start = cpu()
            attempt = run(Allowance(cap))
            total += cpu() - start
            worst = max(worst, reference.limit_error(attempt.w))
            finished &= attempt.finished
        else:
            points = len(SCALES) * len(SHAPES)
            results[competitor.name] = (total / len(problems) * points, worst, finished)
    return results
