"""The problem everyone solves, and its solution by means that nobody else uses."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import DOP853

from benchmarks.networks import Diagonal, Network
from ibtools.data import sparse_regression
from ibtools.models import DiagonalNet, LinearNeuron

# The flow is followed until it is this close to its limit, relative to the limit's norm: one digit
# below the 1e-8 that ibtools promises.
HORIZON_ERROR = 1e-9
# On the way there, the path is compared where this much of it is left.
MIDWAY_ERROR = 0.3
RELATIVE = 1e-12
_MAX_STEPS = 100_000


@dataclass(frozen=True)
class Flow:
    """A flow that the reference integrates, in whatever state it likes."""

    start: np.ndarray
    velocity: Callable[[np.ndarray], np.ndarray]
    predictor: Callable[[np.ndarray], np.ndarray]
    tangent_kernel: Callable[[np.ndarray], np.ndarray]
    absolute: float


@dataclass(frozen=True)
class Problem(ABC):
    """Gradient flow of a network of a given scale and shape."""

    X: np.ndarray
    y: np.ndarray
    scale: float
    shape: float

    @property
    @abstractmethod
    def net(self) -> DiagonalNet | LinearNeuron:
        """The network at its start, for ibtools."""

    @property
    @abstractmethod
    def network(self) -> Network:
        """The same network for everyone else."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What tells it from others."""

    @property
    @abstractmethod
    def smallest_weight(self) -> float:
        """The size of the smallest layer at the start: absolute errors must be far below."""

    @property
    def start(self) -> np.ndarray:
        """All parameters at the start, (p,)."""
        return self.net.parameters

    @abstractmethod
    def exact_limit(self) -> np.ndarray:
        """Return w∞ by means that nobody else uses, to about 1e-15."""

    @abstractmethod
    def exact_flow(self) -> Flow:
        """Return the flow that an expensive integration is to follow."""


@dataclass(frozen=True)
class DiagonalProblem(Problem):
    """An unbiased diagonal network, all coordinates alike."""

    @property
    def net(self) -> DiagonalNet:
        return DiagonalNet.from_scale_shape(scale=self.scale, shape=self.shape, d=self.X.shape[1])

    @property
    def network(self) -> Diagonal:
        return Diagonal()

    @property
    def label(self) -> str:
        return f"diagonal network, scale {self.scale:g}, shape {self.shape:g}"

    @property
    def smallest_weight(self) -> float:
        return float(np.abs(self.start).min())

    @property
    def sqrt_k(self) -> float:
        """The one number that decides the limit."""
        return 4 * self.scale * (1 + self.shape**2) / (1 - self.shape**2)

    def exact_limit(self) -> np.ndarray:
        return _limit(self)

    def exact_flow(self) -> Flow:
        X, y, sqrt_k = self.X, self.y, self.sqrt_k

        def predictor(dual: np.ndarray) -> np.ndarray:
            return sqrt_k / 2 * np.sinh(2 * (X.T @ dual))

        return Flow(
            start=np.zeros(len(y)),
            velocity=lambda dual: y - X @ predictor(dual),
            predictor=predictor,
            tangent_kernel=lambda dual: (X * np.hypot(sqrt_k, 2 * predictor(dual))) @ X.T,
            absolute=1e-15,
        )


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


def draw(*, n: int, d: int, scale: float, shape: float = 0.0, seed: int) -> DiagonalProblem:
    X, y, _ = sparse_regression(n=n, d=d, sparsity=min(5, d), noise_std=0.1, seed=seed)
    return DiagonalProblem(X, y, scale, shape)


def solve(problem: Problem) -> Reference:
    """Return the reference solution; about a thousand times slower than need be."""
    limit, flow = problem.exact_limit(), problem.exact_flow()

    def curvature(state: np.ndarray) -> float:
        return float(np.linalg.eigvalsh(flow.tangent_kernel(state))[-1])

    solver = DOP853(
        lambda _, state: flow.velocity(state),
        0.0,
        flow.start,
        np.inf,
        rtol=RELATIVE,
        atol=flow.absolute,
    )
    midway, largest = None, 0.0
    for step in range(_MAX_STEPS):
        solver.step()
        w = flow.predictor(solver.y)
        distance = np.linalg.norm(w - limit) / np.linalg.norm(limit)
        if midway is None and distance < MIDWAY_ERROR:
            midway = (solver.t, w)
        if distance > 1e-4 and step % 20 == 0:  # it changes slowly, and hardly at the end
            largest = max(largest, curvature(solver.y))
        if distance < HORIZON_ERROR:
            largest = max(largest, curvature(solver.y))
            return Reference(limit, *midway, horizon=solver.t, largest_curvature=largest)
    raise RuntimeError(
        f"the flow is still {distance:.0e} away from the limit after {_MAX_STEPS} steps (t="
        f"{solver.t:.3g}): too stiff for this reference, or the two disagree"
    )


def _limit(problem: DiagonalProblem) -> np.ndarray:
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
