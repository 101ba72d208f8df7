"""(b) scipy's integrators on the parameters."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.integrate

from benchmarks.clock import Allowance, OutOfTimeError
from benchmarks.competitors.base import Attempt, Run
from benchmarks.problem import Problem, Reference

RELATIVE = 1e-10


def absolute(problem: Problem) -> float:
    """Return an absolute tolerance well below the smallest weight."""
    return RELATIVE * 1e-4 * problem.smallest_weight


@dataclass(frozen=True)
class ScipyParameters:
    """All parameters, with their Jacobian where the method uses one."""

    method: str
    relative: float = RELATIVE
    group: str = "b"

    @property
    def name(self) -> str:
        asked = "" if self.relative == RELATIVE else f", rtol {self.relative:g}"
        return f"scipy {self.method}, parameters{asked}"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        X, y, network = problem.X, problem.y, problem.network

        def predictor(state: np.ndarray) -> np.ndarray:
            return network.predictor(*network.parts(state))

        def run(allowance: Allowance) -> Attempt:
            def field(_: float, state: np.ndarray) -> np.ndarray:
                allowance.check()
                with np.errstate(over="ignore", invalid="ignore"):  # of steps it then refuses
                    return np.concatenate(network.velocity(X, y, *network.parts(state)))

            allowed = absolute(problem) * self.relative / RELATIVE
            options: dict[str, Any] = {"rtol": self.relative, "atol": allowed}
            if self.method != "DOP853":
                options["jac"] = lambda _, state: network.jacobian(X, y, state)
            state, midway, steps = problem.start, None, 0
            time = 0.0
            try:
                solver = getattr(scipy.integrate, self.method)(
                    field, 0.0, problem.start, reference.horizon, **options
                )
                while solver.status == "running":
                    solver.step()
                    state, time, steps = solver.y.copy(), solver.t, steps + 1
                    if midway is None and time >= reference.midway_time:
                        midway = predictor(solver.dense_output()(reference.midway_time))
                    allowance.check()
            except OutOfTimeError:
                note = f"{steps} steps, reached {time / reference.horizon:.1%} of the time"
                return Attempt(
                    predictor(state), midway, finished=False, note=note, hopeless=steps == 0
                )
            failed = solver.status == "failed"
            note = f"{steps} steps" + (", the solver failed" if failed else "")
            return Attempt(predictor(state), midway, finished=not failed, note=note)

        return run
