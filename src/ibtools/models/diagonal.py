"""The diagonal linear network, from any initialization."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import (
    array,
    checked,
    count,
    points,
    positive,
    real,
    vector,
)
from ibtools.models.value import ByValue

# exp(700) is the last round number below the largest float; an accumulated gradient beyond it is
# a solver's trial step, not a state of the network.
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, eq=False)
class DiagonalNet(ByValue):
    r"""A two-layer diagonal linear network with untied weights.

    The predictor is :math:`w = u_+ \circ v_+ - u_- \circ v_-` and the output on ``x`` is
    :math:`w^\top x` (Azulay et al. 2021).

    Parameters
    ----------
    u_plus, v_plus, u_minus, v_minus
        The four weight vectors, each of shape (d,), finite. They are copied and read-only.

    Raises
    ------
    ValueError
        If a vector is empty, not finite, or not of the same length as `u_plus`.

    See Also
    --------
    DiagonalNet.from_scale_shape : the unbiased start, by scale and shape.

    Examples
    --------
    >>> from ibtools.models import DiagonalNet
    >>> net = DiagonalNet([0.5, 0.2], [0.4, -0.1], [0.1, 0.3], [0.3, 0.5])
    >>> net.predictor
    array([ 0.17, -0.17])
    """

    u_plus: Float[np.ndarray, " d"]
    v_plus: Float[np.ndarray, " d"]
    u_minus: Float[np.ndarray, " d"]
    v_minus: Float[np.ndarray, " d"]

    def __init__(
        self, u_plus: ArrayLike, v_plus: ArrayLike, u_minus: ArrayLike, v_minus: ArrayLike
    ) -> None:
        size = array("u_plus", u_plus, ndim=1).size
        for name, value in (
            ("u_plus", u_plus),
            ("v_plus", v_plus),
            ("u_minus", u_minus),
            ("v_minus", v_minus),
        ):
            weights = vector(name, value, size=size).copy()
            weights.flags.writeable = False
            object.__setattr__(self, name, weights)

    @classmethod
    def from_scale_shape(cls, *, scale: float, shape: float, d: int) -> "DiagonalNet":
        r"""Build the unbiased network (w = 0) of a given scale and shape.

        All coordinates start alike with :math:`u_\pm = u_0`, :math:`v_\pm = v_0`, where the scale
        is :math:`\alpha = u_0 v_0` and the shape :math:`s = (u_0 - v_0)/(u_0 + v_0)`; hence
        :math:`u_0 = \sqrt{\alpha(1+s)/(1-s)}` and :math:`v_0 = \sqrt{\alpha(1-s)/(1+s)}`
        (Azulay et al. 2021).

        Parameters
        ----------
        scale
            α > 0.
        shape
            s, strictly between −1 and 1; 0 starts both layers equal.
        d
            Number of coordinates.

        Raises
        ------
        ValueError
            If `scale` is not above 0 or `shape` not strictly between −1 and 1.

        Examples
        --------
        >>> from ibtools.models import DiagonalNet
        >>> net = DiagonalNet.from_scale_shape(scale=0.01, shape=0.5, d=2)
        >>> net.u_plus * net.v_plus, net.predictor
        (array([0.01, 0.01]), array([0., 0.]))
        """
        scale, shape, d = positive("scale", scale), real("shape", shape), count("d", d)
        if not -1 < shape < 1:
            raise ValueError(
                f"shape must lie strictly between -1 and 1, got {shape:g}; at ±1 one layer starts "
                "at zero and the other at infinity: take a limit such as shape=0.9999"
            )
        u = np.full(d, np.sqrt(scale * (1 + shape) / (1 - shape)))
        v = np.full(d, np.sqrt(scale * (1 - shape) / (1 + shape)))
        return cls(u, v, u, v)

    @property
    def predictor(self) -> Float[np.ndarray, " d"]:
        """The linear predictor w, of shape (d,)."""
        return self.u_plus * self.v_plus - self.u_minus * self.v_minus

    @property
    def parameters(self) -> Float[np.ndarray, " p"]:
        """All weights as one vector of shape (4d,), in the order u₊, v₊, u₋, v₋."""
        return np.concatenate([self.u_plus, self.v_plus, self.u_minus, self.v_minus])

    @checked
    def replace(self, parameters: Float[np.ndarray, " p"]) -> "DiagonalNet":
        """Return the network with these `parameters` (4d,), ordered as in `parameters`.

        An array of floats is not copied.

        Parameters
        ----------
        parameters
            Of all four vectors, one after the other, (4d,).
        """
        net = object.__new__(DiagonalNet)
        for name, weights in zip(
            ("u_plus", "v_plus", "u_minus", "v_minus"), np.split(parameters, 4), strict=True
        ):
            object.__setattr__(net, name, weights)
        return net

    @checked
    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return the outputs on the rows of `X`, shape (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return X @ self.predictor

    @checked
    def velocity(
        self, X: Float[np.ndarray, "n d"], residual: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " p"]:
        """Return −∂L/∂parameters, (4d,), of the squared loss with residual r = y − prediction.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,); labels minus outputs.
        """
        pull = X.T @ residual
        return np.concatenate(
            [self.v_plus * pull, self.u_plus * pull, -self.v_minus * pull, -self.u_minus * pull]
        )

    @checked
    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return the Gram matrix X H⁻¹ Xᵀ, (n, n), of the outputs' gradients in the weights.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return (X * self._inverse_metric()) @ X.T

    def _inverse_metric(self) -> Float[np.ndarray, " d"]:
        return self.u_plus**2 + self.v_plus**2 + self.u_minus**2 + self.v_minus**2

    def metric_tensor(self) -> Float[np.ndarray, "d d"]:
        r"""Return H (d, d) of the flow on the predictor, :math:`\dot w = H^{-1} X^\top r`.

        :math:`H^{-1} = J J^\top` with J the Jacobian of the predictor in the parameters; here it
        is diagonal, :math:`u_+^2 + v_+^2 + u_-^2 + v_-^2`.

        Raises
        ------
        ValueError
            If all four weights of a coordinate are 0: that coordinate never moves.
        """
        inverse = self._inverse_metric()
        dead = np.flatnonzero(inverse == 0)
        if dead.size:
            raise ValueError(
                f"all four weights of coordinate {dead[0]} are 0 (or square to 0), so it never "
                "moves and the flow has no metric there; start it away from 0"
            )
        return np.diag(1 / inverse)

    def conserved_quantities(self) -> Float[np.ndarray, "3 d"]:
        r"""Return what gradient flow keeps constant, shape (3, d).

        Rows: :math:`u_+^2 - v_+^2`, :math:`u_-^2 - v_-^2` (balancedness of the two layers) and
        :math:`(u_+ + v_+)(u_- + v_-)`, the product that ties the two halves together.
        """
        return np.stack(
            [
                (self.u_plus - self.v_plus) * (self.u_plus + self.v_plus),
                (self.u_minus - self.v_minus) * (self.u_minus + self.v_minus),
                (self.u_plus + self.v_plus) * (self.u_minus + self.v_minus),
            ]
        )

    def after(self, accumulated: Float[np.ndarray, " d"]) -> "DiagonalNet":
        r"""Return the network after gradient flow has accumulated :math:`P = \int X^\top r\,dt`.

        In P the flow is linear: :math:`u_\pm + v_\pm` and :math:`u_\pm - v_\pm` grow or shrink
        like :math:`e^{\pm P}`. So the weights are an exact function of P, whatever the loss did in
        between.

        Parameters
        ----------
        accumulated
            P, shape (d,).
        """
        accumulated = vector("accumulated", accumulated, size=self.u_plus.size)
        # Only dead weights are pulled on without end; clipping keeps their 0·∞ at 0.
        exponent = np.clip(accumulated, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        grow, shrink = np.exp(exponent), np.exp(-exponent)
        plus_sum, plus_gap = (
            (self.u_plus + self.v_plus) * grow,
            (self.u_plus - self.v_plus) * shrink,
        )
        minus_sum = (self.u_minus + self.v_minus) * shrink
        minus_gap = (self.u_minus - self.v_minus) * grow
        return DiagonalNet(
            (plus_sum + plus_gap) / 2,
            (plus_sum - plus_gap) / 2,
            (minus_sum + minus_gap) / 2,
            (minus_sum - minus_gap) / 2,
        )

    def predictor_after(
        self, accumulated: Float[np.ndarray, "*batch d"]
    ) -> tuple[Float[np.ndarray, "*batch d"], Float[np.ndarray, "*batch d"]]:
        """Return the predictor of ``after(accumulated)`` and its derivative there, both (…, d).

        The derivative is of each coordinate in its own entry of P: the others do not matter. Beyond
        the largest float both saturate, so that a solver's wild trial step stays finite.

        Parameters
        ----------
        accumulated
            P, (…, d): minus the gradient in w, integrated over time; 0 at the start.
        """
        start, rising, falling, largest = self._exponentials
        accumulated = points("accumulated", accumulated, start.size)
        exponent = 2 * accumulated
        # expm1, because far in the kernel regime P is tiny and the two terms are huge; of |2P|, as
        # the other term is then a division away, and an exponential costs ten of those.
        growth = np.expm1(np.minimum(np.abs(exponent), largest))
        grown = 1 + growth
        shrunk = 1 / grown
        along = against = rising
        if falling is not rising:
            ahead = exponent >= 0
            along, against = np.where(ahead, rising, falling), np.where(ahead, falling, rising)
        moved = np.copysign(along * growth + against * (growth * shrunk), exponent)
        return start + moved, 2 * (along * grown + against * shrunk)

    @cached_property
    def _exponentials(
        self,
    ) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"], Float[np.ndarray, " d"], float]:
        """Predictor, A/4 and B/4 of w = (A exp(2P) − B exp(−2P))/4, and the largest exponent.

        B/4 is the same array as A/4 where they are equal, as from an unbiased start.
        """
        rising = ((self.u_plus + self.v_plus) ** 2 + (self.u_minus - self.v_minus) ** 2) / 4
        falling = ((self.u_plus - self.v_plus) ** 2 + (self.u_minus + self.v_minus) ** 2) / 4
        largest = _LARGEST_EXPONENT - float(np.log(max(1.0, rising.max(), falling.max())))
        if np.array_equal(rising, falling):
            falling = rising
        return self.predictor, rising, falling, largest


@dataclass(frozen=True, eq=False)
class TiedDiagonalNet(ByValue):
    r"""The diagonal network with tied weights, :math:`w = u \circ u - v \circ v`.

    The model of Woodworth et al. (2020). Its flow is that of `DiagonalNet` with
    :math:`u_\pm = v_\pm`, at twice the speed.

    Parameters
    ----------
    u, v
        The two weight vectors, each of shape (d,), finite. They are copied and read-only.

    Raises
    ------
    ValueError
        If a vector is empty, not finite, or not of the other's length.

    Examples
    --------
    >>> from ibtools.models import TiedDiagonalNet
    >>> TiedDiagonalNet([2.0, 1.0], [1.0, 1.0]).predictor
    array([3., 0.])
    """

    u: Float[np.ndarray, " d"]
    v: Float[np.ndarray, " d"]

    def __init__(self, u: ArrayLike, v: ArrayLike) -> None:
        size = array("u", u, ndim=1).size
        for name, value in (("u", u), ("v", v)):
            weights = vector(name, value, size=size).copy()
            weights.flags.writeable = False
            object.__setattr__(self, name, weights)

    @property
    def predictor(self) -> Float[np.ndarray, " d"]:
        """The linear predictor w, of shape (d,)."""
        return (self.u - self.v) * (self.u + self.v)

    @property
    def parameters(self) -> Float[np.ndarray, " p"]:
        """All weights as one vector of shape (2d,), in the order u, v."""
        return np.concatenate([self.u, self.v])

    @checked
    def replace(self, parameters: Float[np.ndarray, " p"]) -> "TiedDiagonalNet":
        """Return the network with these `parameters` (2d,); an array of floats is not copied.

        Parameters
        ----------
        parameters
            Of both vectors, one after the other, (2d,).
        """
        net = object.__new__(TiedDiagonalNet)
        for name, weights in zip(("u", "v"), np.split(parameters, 2), strict=True):
            object.__setattr__(net, name, weights)
        return net

    @checked
    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return the outputs on the rows of `X`, shape (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return X @ self.predictor

    @checked
    def velocity(
        self, X: Float[np.ndarray, "n d"], residual: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " p"]:
        """Return −∂L/∂parameters, (2d,), of the squared loss with residual r = y − prediction.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,); labels minus outputs.
        """
        pull = X.T @ residual
        return np.concatenate([2 * self.u * pull, -2 * self.v * pull])

    @checked
    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return the Gram matrix, (n, n), of the outputs' gradients in the weights.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return (X * (4 * (self.u**2 + self.v**2))) @ X.T
