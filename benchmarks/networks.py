"""The networks written out by hand, once, for NumPy, torch and jax alike.

Only operators appear, so that arrays of any of the three pass through. Nothing is from ibtools:
this is what a user would write who had no package.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Network(Protocol):
    """A network on the squared loss, by the parts of its parameters."""

    def parts(self, parameters: Any) -> tuple[Any, ...]:
        """Return the layers that the flat vector (p,) is made of, in order."""
        ...

    def predictor(self, *parts: Any) -> Any:
        """Return w, (d,)."""
        ...

    def outputs(self, X: Any, *parts: Any) -> Any:
        """Return the outputs on the rows of X, (n,)."""
        ...

    def velocity(self, X: Any, y: Any, *parts: Any) -> tuple[Any, ...]:
        """Return minus the loss's gradient in each of the parts."""
        ...

    def gradients(self, X: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        """Return the outputs' gradients in all parameters, (n, p)."""
        ...

    def jacobian(self, X: np.ndarray, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Return the derivative of the velocity in the parameters, (p, p)."""
        ...


@dataclass(frozen=True)
class Diagonal:
    """w = u₊∘v₊ − u₋∘v₋."""

    def parts(self, parameters: Any) -> tuple[Any, ...]:
        return tuple(parameters.reshape(4, -1))

    def predictor(self, u_plus: Any, v_plus: Any, u_minus: Any, v_minus: Any) -> Any:
        return u_plus * v_plus - u_minus * v_minus

    def outputs(self, X: Any, *parts: Any) -> Any:
        return X @ self.predictor(*parts)

    def velocity(self, X: Any, y: Any, *parts: Any) -> tuple[Any, ...]:
        u_plus, v_plus, u_minus, v_minus = parts
        pull = X.T @ (y - X @ (u_plus * v_plus - u_minus * v_minus))
        return v_plus * pull, u_plus * pull, -v_minus * pull, -u_minus * pull

    def gradients(self, X: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        u_plus, v_plus, u_minus, v_minus = parts
        return np.concatenate([X * v_plus, X * u_plus, -X * v_minus, -X * u_minus], axis=1)

    def jacobian(self, X: np.ndarray, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        parts = self.parts(parameters)
        pull = np.diag(X.T @ (y - self.outputs(X, *parts)))
        gradients = self.gradients(X, *parts)
        result, d = -gradients.T @ gradients, len(pull)
        for i, j, sign in ((0, 1, 1), (1, 0, 1), (2, 3, -1), (3, 2, -1)):
            result[i * d : (i + 1) * d, j * d : (j + 1) * d] += sign * pull
        return result


@dataclass(frozen=True)
class Neuron:
    """f(x) = a σ(wᵀx), the slope of σ being 1 above 0 and `slope` below; a is of shape (1,)."""

    slope: float = 1.0

    def parts(self, parameters: Any) -> tuple[Any, ...]:
        return parameters[:1], parameters[1:]

    def predictor(self, a: Any, w: Any) -> Any:
        return a * w

    def outputs(self, X: Any, *parts: Any) -> Any:
        a, w = parts
        inputs = X @ w
        return a * self._bent(inputs, inputs)

    def velocity(self, X: Any, y: Any, *parts: Any) -> tuple[Any, ...]:
        a, w = parts
        inputs = X @ w
        pull = self._bent(y - a * self._bent(inputs, inputs), inputs) @ X
        return (w @ pull)[None], a * pull

    def gradients(self, X: np.ndarray, *parts: np.ndarray) -> np.ndarray:
        a, w = parts
        inputs = (X @ w)[:, None]
        return np.concatenate([self._bent(inputs, inputs), a * self._bent(X, inputs)], axis=1)

    def jacobian(self, X: np.ndarray, y: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        parts = self.parts(parameters)
        inputs = X @ parts[1]
        gradients = self.gradients(X, *parts)
        result = -gradients.T @ gradients
        pull = self._bent(y - self.outputs(X, *parts), inputs) @ X
        result[0, 1:] += pull
        result[1:, 0] += pull
        return result

    def _bent(self, values: Any, inputs: Any) -> Any:
        """Return `values` times the slope of σ at `inputs`."""
        if self.slope == 1:
            return values
        return self.slope * values + (1 - self.slope) * (values * (inputs >= 0))
