"""(d) diffrax: compiled, implicit where that is affordable. Compile time is not counted."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from benchmarks.clock import Allowance
from benchmarks.competitors.base import Attempt, Run
from benchmarks.networks import Network
from benchmarks.problem import DiagonalProblem, Problem, Reference

# Out of the way: the allowance ends a run long before.
_MAX_STEPS = 10_000_000
_RELATIVE = {"predictor": 1e-8, "dual": 1e-8, "parameters": 1e-10}


@dataclass(frozen=True)
class _Diffrax:
    group: str = "d"
    kind: ClassVar[str]

    def start(self, problem: Any) -> np.ndarray:
        raise NotImplementedError

    def restore(self, problem: Any, state: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def smallest(self, problem: Any) -> float:
        """Return the size of the state that absolute errors have to stay well below."""
        raise NotImplementedError

    def sqrt_k(self, problem: Any) -> float:
        return problem.sqrt_k

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        solve, holder = _compiled(
            self.kind, problem.network, *problem.X.shape, len(self.start(problem))
        )
        arguments = (
            self.start(problem),
            reference.midway_time,
            reference.horizon,
            problem.X,
            problem.y,
            self.sqrt_k(problem),
            1e-4 * _RELATIVE[self.kind] * self.smallest(problem),
        )

        def run(allowance: Allowance) -> Attempt:
            holder["allowance"] = allowance
            midway, end, time, steps, failed = (np.asarray(part) for part in solve(*arguments))
            finished = bool(time >= reference.horizon) and not failed
            note = f"{steps} steps"
            if not finished:
                why = ", the solver failed" if failed else ""
                note += f", reached {float(time) / reference.horizon:.1%} of the time{why}"
            reached = np.isfinite(midway).all()
            return Attempt(
                self.restore(problem, end),
                self.restore(problem, midway) if reached else None,
                finished=finished,
                note=note,
            )

        return run


class DiffraxPredictor(_Diffrax):
    """Kvaerno5 with its own root finder on w' = √(κ+4w²) Xᵀr, d numbers."""

    name = "diffrax Kvaerno5, predictor"
    kind = "predictor"

    def start(self, problem: DiagonalProblem) -> np.ndarray:
        return np.zeros(problem.X.shape[1])

    def restore(self, problem: DiagonalProblem, state: np.ndarray) -> np.ndarray:
        return state

    def smallest(self, problem: DiagonalProblem) -> float:
        return problem.scale


class DiffraxDual(_Diffrax):
    """Kvaerno5 with Newton on our own reduction, ν' = y − Xw(Xᵀν), n numbers.

    Its own root finder (chord) rejects every second step here, so it gets the better one.
    """

    name = "diffrax Kvaerno5 + Newton, our dual"
    kind = "dual"

    def start(self, problem: DiagonalProblem) -> np.ndarray:
        return np.zeros(problem.X.shape[0])

    def restore(self, problem: DiagonalProblem, state: np.ndarray) -> np.ndarray:
        return problem.sqrt_k / 2 * np.sinh(2 * (problem.X.T @ state))

    def smallest(self, problem: DiagonalProblem) -> float:
        return 1.0


class DiffraxParameters(_Diffrax):
    """Dopri8, explicit, on all parameters."""

    name = "diffrax Dopri8, parameters"
    kind = "parameters"

    def start(self, problem: Problem) -> np.ndarray:
        return problem.start

    def restore(self, problem: Problem, state: np.ndarray) -> np.ndarray:
        return problem.network.predictor(*problem.network.parts(state))

    def smallest(self, problem: Problem) -> float:
        return problem.smallest_weight

    def sqrt_k(self, problem: Problem) -> float:
        return np.nan  # of the diagonal network alone; here nothing uses it


@functools.cache
def _compiled(
    kind: str, network: Network, n: int, d: int, size: int
) -> tuple[Callable[..., Any], dict[str, Allowance]]:
    """Return the compiled solver, and where it looks up its allowance."""
    import diffrax
    import jax
    import jax.numpy as jnp
    import optimistix

    jax.config.update("jax_enable_x64", True)
    holder: dict[str, Allowance] = {}

    def velocity(_: Any, state: Any, args: Any) -> Any:
        X, y, sqrt_k = args
        if kind == "predictor":
            return jnp.hypot(sqrt_k, 2 * state) * (X.T @ (y - X @ state))
        if kind == "dual":
            return y - X @ (sqrt_k / 2 * jnp.sinh(2 * (X.T @ state)))
        return jnp.concatenate(network.velocity(X, y, *network.parts(state)))

    def spent(time: Any, *_: Any, **__: Any) -> Any:
        # A compiled loop does not return to Python by itself. Looking at the clock costs a tenth of
        # a cheap step, so it is done at one in 16, which the last bits of the time choose.
        def look(_: Any) -> Any:
            return np.array(holder["allowance"].spent)

        now = jax.lax.bitcast_convert_type(time, jnp.int64) & (0 if kind == "predictor" else 15)
        return jax.lax.cond(
            now == 0,
            lambda t: jax.pure_callback(look, jax.ShapeDtypeStruct((), bool), t),
            lambda _: jnp.array(False),
            time,
        )

    solver = {
        "predictor": diffrax.Kvaerno5(),
        "dual": diffrax.Kvaerno5(root_finder=optimistix.Newton(rtol=1e-9, atol=1e-12)),
        "parameters": diffrax.Dopri8(),
    }[kind]

    def solve(
        start: Any, midway_time: Any, horizon: Any, X: Any, y: Any, sqrt_k: Any, absolute: Any
    ) -> Any:
        result = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            solver,
            0.0,
            horizon,
            None,
            start,
            args=(X, y, sqrt_k),
            stepsize_controller=diffrax.PIDController(rtol=_RELATIVE[kind], atol=absolute),
            saveat=diffrax.SaveAt(
                subs=[diffrax.SubSaveAt(ts=midway_time[None]), diffrax.SubSaveAt(t1=True)]
            ),
            event=diffrax.Event(spent),
            max_steps=_MAX_STEPS,
            adjoint=diffrax.ForwardMode(),
            throw=False,
        )
        (midway,), (end,) = result.ys
        failed = ~(
            (result.result == diffrax.RESULTS.successful)
            | (result.result == diffrax.RESULTS.event_occurred)
        )
        return midway, end, result.ts[1][0], result.stats["num_steps"], failed

    number = jax.ShapeDtypeStruct((), jnp.float64)
    shapes = (
        jax.ShapeDtypeStruct((size,), jnp.float64),
        number,
        number,
        jax.ShapeDtypeStruct((n, d), jnp.float64),
        jax.ShapeDtypeStruct((n,), jnp.float64),
        number,
        number,
    )
    return jax.jit(solve).lower(*shapes).compile(), holder
