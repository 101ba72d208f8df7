"""One neuron, linear or leaky, as a problem."""

from dataclasses import dataclass

import numpy as np

from benchmarks.networks import Neuron
from benchmarks.problem import Flow, Problem
from ibtools.data import sparse_regression
from ibtools.models import LinearNeuron


@dataclass(frozen=True)
class NeuronProblem(Problem):
    """One neuron that starts with a positive output weight and a shape of at least 0.

    Then a² − ‖Πw‖², which flow keeps, is not negative, and a stays positive.
    """

    direction: np.ndarray
    slope: float = 1.0

    @property
    def net(self) -> LinearNeuron:
        return LinearNeuron.from_scale_shape(
            scale=self.scale, shape=self.shape, direction=self.direction, slope=self.slope
        )

    @property
    def network(self) -> Neuron:
        return Neuron(self.slope)

    @property
    def label(self) -> str:
        kind = "linear neuron" if self.slope == 1 else f"leaky neuron (slope {self.slope:g})"
        return f"{kind}, N={len(self.y)}, scale {self.scale:g}, shape {self.shape:g}"

    @property
    def smallest_weight(self) -> float:
        a, w = self.network.parts(self.start)
        return float(min(abs(a[0]), np.linalg.norm(w) / np.sqrt(w.size)))

    def exact_limit(self) -> np.ndarray:
        """Return the closed form in extended precision, by the normal equations."""
        X = self.X.astype(np.longdouble)
        a, w = (part.astype(np.longdouble) for part in self.network.parts(self.start))
        targets = self.y.astype(np.longdouble) / np.where(self.y < 0, self.slope, 1.0)
        least = X.T @ _solved(X, targets)
        seen = X.T @ _solved(X, X @ w)
        kept = a[0] ** 2 - seen @ seen
        squared = (kept + np.sqrt(kept**2 + 4 * (least @ least))) / 2
        return (least + np.sqrt(squared) * (w - seen)).astype(float)

    def exact_flow(self) -> Flow:
        X, y, network = self.X, self.y, self.network

        def tangent_kernel(parameters: np.ndarray) -> np.ndarray:
            gradients = network.gradients(X, *network.parts(parameters))
            return gradients @ gradients.T

        return Flow(
            start=self.start,
            velocity=lambda p: np.concatenate(network.velocity(X, y, *network.parts(p))),
            predictor=lambda p: network.predictor(*network.parts(p)),
            tangent_kernel=tangent_kernel,
            absolute=1e-15 * self.smallest_weight,
        )


def draw_neuron(
    *, n: int, d: int, scale: float, shape: float = 0.0, slope: float = 1.0, seed: int
) -> NeuronProblem:
    random = np.random.default_rng(seed)
    X, y, _ = sparse_regression(n=n, d=d, sparsity=min(5, d), noise_std=0.1, seed=random)
    return NeuronProblem(X, y, scale, shape, random.standard_normal(d), slope)


def _solved(X: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Solve XXᵀz = targets, refined until extended precision is reached."""
    double = X.astype(float)
    gram = double @ double.T
    solution = np.zeros_like(targets)
    for _ in range(10):
        residual = targets - X @ (X.T @ solution)
        solution = solution + np.linalg.solve(gram, residual.astype(float))
    return solution
