"""What a trainer asks of a regression model."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class RegressionModel(Protocol):
    """A model with a flat parameter vector and a linear predictor."""

    @property
    def parameters(self) -> Float[np.ndarray, " p"]:
        """All weights as one vector, (p,)."""
        ...

    @property
    def predictor(self) -> Float[np.ndarray, " d"]:
        """The linear predictor w, (d,)."""
        ...

    def replace(self, parameters: Float[np.ndarray, " p"]) -> "RegressionModel":
        """Return the same architecture with other `parameters`, (p,).

        Parameters
        ----------
        parameters
            In the order of `parameters`, (p,).
        """
        ...

    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return the outputs on the rows of `X`, (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        ...

    def velocity(
        self, X: Float[np.ndarray, "n d"], residual: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " p"]:
        """Return −∂L/∂parameters, (p,), of L = ½‖r‖² at the residual r = y − prediction, (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,); labels minus outputs.
        """
        ...

    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return the Gram matrix, (n, n), of the outputs' gradients in the parameters.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        ...


@runtime_checkable
class DualModel(RegressionModel, Protocol):
    """A model whose weights are an exact function of the accumulated gradient P = ∫ Xᵀr dt."""

    def after(self, accumulated: Float[np.ndarray, " d"]) -> "DualModel":
        """Return the model after gradient flow has accumulated P, (d,).

        Parameters
        ----------
        accumulated
            P, (d,): minus the gradient in w, integrated over time; 0 at the start.
        """
        ...

    def predictor_after(
        self, accumulated: Float[np.ndarray, "*batch d"]
    ) -> tuple[Float[np.ndarray, "*batch d"], Float[np.ndarray, "*batch d"]]:
        """Return the predictor after P and its (diagonal) derivative in P, each (…, d).

        Parameters
        ----------
        accumulated
            P, (…, d): minus the gradient in w, integrated over time; 0 at the start.
        """
        ...


@runtime_checkable
class RowSpaceModel(RegressionModel, Protocol):
    """A model whose input weights move within the row space of the data only."""

    def compressed(
        self, rows: Float[np.ndarray, "k d"]
    ) -> tuple["RowSpaceModel", Callable[[Any], "RowSpaceModel"]]:
        """Return the model on coordinates along orthonormal `rows`, and the way back from it.

        Parameters
        ----------
        rows
            An orthonormal basis of the space of the inputs, (k, d).
        """
        ...

    def velocity_jacobian(
        self, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "p p"]:
        """Return the derivative of the velocity, at r = y − prediction, in the parameters.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        y
            Labels, (n,).
        """
        ...


def speaks_for(net: RegressionModel, shortcut: str) -> bool:
    """Return whether a shortcut was written for the outputs that a network has.

    A class that has outputs of its own and inherits the shortcut goes another way.
    """
    classes = type(net).__mro__

    def place(name: str) -> int:
        return next((i for i, c in enumerate(classes) if name in vars(c)), len(classes))

    return all(
        place(shortcut) <= place(name)
        for name in ("parameters", "predictor", "predict", "velocity")
    )
