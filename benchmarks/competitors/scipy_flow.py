"""(b) scipy's integrators on the parameters."""

# ruff: noqa: D102 - `Competitor` documents them

from dataclasses import dataclass

import numpy as np
import scipy.integrate

from benchmarks.clock import Allowance, OutOfTimeError
from benchmarks.competitors.base import Attempt, Run, predictor
from benchmarks.problem import Problem, Reference

RELATIVE = 1e-10


def absolute(problem: Problem) -> float:
    """Return an absolute tolerance well below the smallest weight."""
    return RELATIVE * 1e-4 * float(np.abs(problem.start).min())


@dataclass(frozen=True)
class ScipyParameters:
    """All 4d parameters, with their Jacobian where the method uses one."""

    method: str
    group: str = "b"

    @property
    def name(self) -> str:
        return f"scipy {self.method}, parameters"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        X, y = problem.X, problem.y

        def run(allowance: Allowance) -> Attempt:
            def field(_: float, state: np.ndarray) -> np.ndarray:
                allowance.check()
                u_plus, v_plus, u_minus, v_minus = np.split(state, 4)
                with np.errstate(over="ignore", invalid="ignore"):  # of steps it then refuses
                    pull = X.T @ (y - X @ (u_plus * v_plus - u_minus * v_minus))
                    return np.concatenate(
                        [v_plus * pull, u_plus * pull, -v_minus * pull, -u_minus * pull]
                    )

            options = {"rtol": RELATIVE, "atol": absolute(problem)}
            if self.method != "DOP853":
                options["jac"] = lambda _, state: jacobian(X, y, state)
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


def jacobian(X: np.ndarray, y: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the derivative of the velocity, (4d, 4d)."""
    u_plus, v_plus, u_minus, v_minus = np.split(state, 4)
    pull = np.diag(X.T @ (y - X @ (u_plus * v_plus - u_minus * v_minus)))
    gradient = np.concatenate([X * v_plus, X * u_plus, -X * v_minus, -X * u_minus], axis=1)
    result = -gradient.T @ gradient
    d = len(u_plus)
    for i, j, sign in ((0, 1, 1), (1, 0, 1), (2, 3, -1), (3, 2, -1)):
        result[i * d : (i + 1) * d, j * d : (j + 1) * d] += sign * pull
    return result
