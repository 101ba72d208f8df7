"""The problem everyone solves, and its solution by means that nobody else uses."""

from dataclasses import dataclass

import numpy as np
from scipy.integrate import DOP853

from ibtools.data import sparse_regression
from ibtools.models import DiagonalNet

# The flow is followed until it is this close to its limit, relative to the limit's norm: one digit
# below the 1e-8 that ibtools promises.
HORIZON_ERROR = 1e-9
# On the way there, the path is compared where this much of it is left.
MIDWAY_ERROR = 0.3
_MAX_STEPS = 100_000


@dataclass(frozen=True)
class Problem:
    """Gradient flow of an unbiased diagonal network, all coordinates alike."""

    X: np.ndarray
    y: np.ndarray
    scale: float
    shape: float

    @property
    def net(self) -> DiagonalNet:
        """The network at its start."""
        return DiagonalNet.from_scale_shape(scale=self.scale, shape=self.shape, d=self.X.shape[1])

    @property
    def start(self) -> np.ndarray:
        """All parameters at the start, (4d,): u₊, v₊, u₋, v₋."""
        return self.net.parameters

    @property
    def sqrt_k(self) -> float:
        """The one number that decides the limit."""
        return 4 * self.scale * (1 + self.shape**2) / (1 - self.shape**2)


@dataclass(frozen=True)
class Reference:
    """The solution, known to about 1e-12 (limit) and 1e-11 (path)."""

    limit: np.ndarray
    midway_time: float
    midway: np.ndarray
    horizon: float
    largest_curvature: float

    @property
    def times(self) -> np.ndarray:
        """The two times at which everyone reports w."""
        return np.array([self.midway_time, self.horizon])

    def limit_error(self, w: np.ndarray) -> float:
        """Return ‖w − w∞‖/‖w∞‖."""
        return float(np.linalg.norm(w - self.limit) / np.linalg.norm(self.limit))

    def midway_error(self, w: np.ndarray) -> float:
        """Return the same at the time midway."""
        return float(np.linalg.norm(w - self.midway) / np.linalg.norm(self.midway))


def draw(*, n: int, d: int, scale: float, shape: float = 0.0, seed: int) -> Problem:
    X, y, _ = sparse_regression(n=n, d=d, sparsity=min(5, d), noise_std=0.1, seed=seed)
    return Problem(X, y, scale, shape)


def solve(problem: Problem) -> Reference:
    """Return the reference solution; about a thousand times slower than need be."""
    limit = _limit(problem)
    X, y, sqrt_k = problem.X, problem.y, problem.sqrt_k

    def predictor(dual: np.ndarray) -> np.ndarray:
        return sqrt_k / 2 * np.sinh(2 * (X.T @ dual))

    solver = DOP853(
        lambda _, dual: y - X @ predictor(dual),
        0.0,
        np.zeros(len(y)),
        np.inf,
        rtol=1e-12,
        atol=1e-15,
    )
    midway, curvature = None, _curvature(X, sqrt_k, limit)
    for step in range(_MAX_STEPS):
        solver.step()
        w = predictor(solver.y)
        distance = np.linalg.norm(w - limit) / np.linalg.norm(limit)
        if midway is None and distance < MIDWAY_ERROR:
            midway = (solver.t, w)
        if distance > 1e-4 and step % 20 == 0:  # it changes slowly, and hardly at the end
            curvature = max(curvature, _curvature(X, sqrt_k, w))
        if distance < HORIZON_ERROR:
            return Reference(limit, *midway, horizon=solver.t, largest_curvature=curvature)
    raise RuntimeError(
        f"the flow is still {distance:.0e} away from the limit after {_MAX_STEPS} steps (t="
        f"{solver.t:.3g}): too stiff for this reference, or the two disagree"
    )


def _limit(problem: Problem) -> np.ndarray:
    """Newton on Xw(ν) = y in extended precision: w(ν) is optimal for its constraints, whatever ν.

    Found by halving √k from where the problem is linear.
    """
    X, y = problem.X.astype(np.longdouble), problem.y.astype(np.longdouble)
    sqrt_k = max(problem.sqrt_k, 10.0)
    dual = np.linalg.solve(problem.X @ problem.X.T, problem.y).astype(np.longdouble) / sqrt_k
    previous = np.longdouble(0)
    while True:
        for _ in range(100):
            angle = 2 * (X.T @ dual)
            residual = y - X @ (sqrt_k / 2 * np.sinh(angle))
            slope = (sqrt_k * np.cosh(angle)).astype(float)
            kernel = (problem.X * slope) @ problem.X.T
            step = np.linalg.solve(kernel, residual.astype(float))
            dual = dual + step * min(1.0, 1.0 / np.abs(problem.X.T @ step).max())
            size = np.linalg.norm(step) / np.linalg.norm(dual.astype(float))
            if size < (1e-15 if sqrt_k == problem.sqrt_k else 1e-6):
                break
        if sqrt_k == problem.sqrt_k:
            return (sqrt_k / 2 * np.sinh(2 * (X.T @ dual))).astype(float)
        following = max(sqrt_k / 2, problem.sqrt_k)
        # ν is close to linear in log √k.
        dual, previous = 2 * dual - previous if np.any(previous) else dual, dual
        sqrt_k = following


def _curvature(X: np.ndarray, sqrt_k: float, w: np.ndarray) -> float:
    return float(np.linalg.eigvalsh((X * np.hypot(sqrt_k, 2 * w)) @ X.T)[-1])
