"""(e) General optimizers that are told the theorem: minimize the potential over interpolators."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.sparse

from benchmarks.clock import Allowance, OutOfTimeError
from benchmarks.competitors.base import Attempt, Run
from benchmarks.problem import DiagonalProblem, Problem, Reference


@dataclass(frozen=True)
class TrustConstr:
    """scipy's trust-constr on the potential itself, exact derivatives, from the least norm."""

    name: str = "scipy trust-constr, potential"
    group: str = "e"

    def prepare(self, problem: DiagonalProblem, reference: Reference) -> Run:
        X, y, sqrt_k = problem.X, problem.y, problem.sqrt_k

        def value(w: np.ndarray) -> float:
            z = 2 * w / sqrt_k
            return float(np.sum(sqrt_k / 4 * (1 - np.hypot(1, z) + z * np.arcsinh(z))))

        def run(allowance: Allowance) -> Attempt:
            latest = np.linalg.lstsq(X, y, rcond=None)[0]

            def gradient(w: np.ndarray) -> np.ndarray:
                nonlocal latest
                latest = w
                allowance.check()
                return np.arcsinh(2 * w / sqrt_k) / 2

            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answer = scipy.optimize.minimize(
                        value,
                        latest,
                        method="trust-constr",
                        jac=gradient,
                        hess=lambda w: scipy.sparse.diags_array(1 / np.hypot(sqrt_k, 2 * w)),
                        constraints=scipy.optimize.LinearConstraint(X, y, y),
                        options={"gtol": 1e-12, "xtol": 1e-12, "maxiter": 100_000},
                    )
            except OutOfTimeError:
                return Attempt(latest, finished=False)
            return Attempt(answer.x, note=f"{answer.nit} iterations")

        return run


@dataclass(frozen=True)
class ConicProgram:
    """cvxpy and Clarabel, the hyperbolic entropy as two relative entropies."""

    name: str = "cvxpy + Clarabel"
    group: str = "e"

    def prepare(self, problem: DiagonalProblem, reference: Reference) -> Run:
        import cvxpy

        quarter, d = problem.sqrt_k / 4, problem.X.shape[1]
        up, down = cvxpy.Variable(d), cvxpy.Variable(d)
        entropy = cvxpy.sum(cvxpy.kl_div(up, quarter)) + cvxpy.sum(cvxpy.kl_div(down, quarter))
        program = cvxpy.Problem(
            cvxpy.Minimize(entropy), [problem.X @ up - problem.X @ down == problem.y]
        )
        program.get_problem_data(cvxpy.CLARABEL)  # translates it once; later solves reuse that

        def run(allowance: Allowance) -> Attempt:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    program.solve(
                        solver=cvxpy.CLARABEL,
                        time_limit=allowance.left,
                        tol_gap_abs=1e-12,
                        tol_gap_rel=1e-12,
                        tol_feas=1e-12,
                    )
            except cvxpy.SolverError:
                return Attempt(np.zeros(d), finished=False, note="the solver failed")
            w = np.zeros(d) if up.value is None else up.value - down.value
            solved = program.status in ("optimal", "optimal_inaccurate")
            return Attempt(w, finished=solved, note=program.status.replace("_", " "))

        return run


def _dual(problem: DiagonalProblem, method: str, options: dict[str, float], hessian: bool) -> Run:
    """Minimize Σ(√κ/4)cosh(2Xᵀν) − yᵀν from 0 by a method of scipy."""
    X, y, sqrt_k = problem.X, problem.y, problem.sqrt_k

    def run(allowance: Allowance) -> Attempt:
        latest = np.zeros(len(y))

        def value_and_gradient(dual: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal latest
            latest = dual
            allowance.check()
            rise = np.exp(2 * (X.T @ dual))
            fall = 1 / rise
            value = sqrt_k / 8 * np.sum(rise + fall) - y @ dual
            return value, X @ (sqrt_k / 4 * (rise - fall)) - y

        def curvature(dual: np.ndarray) -> np.ndarray:
            return (X * (sqrt_k * np.cosh(2 * (X.T @ dual)))) @ X.T

        note, finished = "", True
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = scipy.optimize.minimize(
                    value_and_gradient,
                    latest,
                    jac=True,
                    hess=curvature if hessian else None,
                    method=method,
                    options=options,
                )
                latest, note = answer.x, f"{answer.nit} iterations"
            except OutOfTimeError:
                finished = False
            return Attempt(sqrt_k / 2 * np.sinh(2 * (X.T @ latest)), finished=finished, note=note)

    return run


@dataclass(frozen=True)
class DualLBFGS:
    """scipy's L-BFGS-B on the n-dimensional dual."""

    name: str = "scipy L-BFGS-B, dual"
    group: str = "e"

    def prepare(self, problem: DiagonalProblem, reference: Reference) -> Run:
        options = {"ftol": 0.0, "gtol": 1e-12, "maxiter": 100_000, "maxfun": 1_000_000}
        return _dual(problem, "L-BFGS-B", options, hessian=False)


@dataclass(frozen=True)
class DualTrustExact:
    """scipy's trust-exact, a Newton method, on the n-dimensional dual."""

    name: str = "scipy trust-exact, dual"
    group: str = "e"

    def prepare(self, problem: DiagonalProblem, reference: Reference) -> Run:
        return _dual(problem, "trust-exact", {"gtol": 1e-11, "maxiter": 10_000}, hessian=True)


@dataclass(frozen=True)
class LeastL1:
    """The least ℓ₁ norm by HiGHS: what the rich limit says, wherever the flow really is."""

    name: str = "scipy HiGHS, ℓ₁ instead"
    group: str = "e"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        X, y = problem.X, problem.y
        d = X.shape[1]

        def run(allowance: Allowance) -> Attempt:
            answer = scipy.optimize.linprog(
                np.ones(2 * d),
                A_eq=np.hstack([X, -X]),
                b_eq=y,
                method="highs",
                options={"time_limit": max(allowance.left, 1e-3)},
            )
            if answer.x is None:
                return Attempt(np.zeros(d), finished=False)
            return Attempt(answer.x[:d] - answer.x[d:], note="another problem")

        return run


@dataclass(frozen=True)
class LeastNorm:
    """The least ℓ₂ norm by LAPACK: what a tiny start says, wherever the flow really is."""

    name: str = "numpy lstsq, least norm instead"
    group: str = "e"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        X, y = problem.X, problem.y
        return lambda _: Attempt(np.linalg.lstsq(X, y, rcond=None)[0], note="another problem")
