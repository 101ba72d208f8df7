"""Two-layer ReLU and leaky ReLU networks whose second layer is fixed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from ibtools._validation import (
    array,
    checked,
    count,
    generator,
    positive,
    real,
    regression_problem,
)
from ibtools.models.value import ByValue


@dataclass(frozen=True, eq=False)
class TwoLayerNet(ByValue):
    r"""A two-layer network with m neurons of either sign, of which the first layer is trained.

    .. math:: f(x) = \frac1m \sum_{r=1}^{m} \sigma(\langle w_{+,r}, x\rangle)
        - \frac1m \sum_{r=1}^{m} \sigma(\langle w_{-,r}, x\rangle)

    with σ(z) = z for z ≥ 0 and γz below: a leaky ReLU, at γ = 0 the ReLU (Kou, Chen and Gu 2023).
    The network is homogeneous of order 1 in its weights W.

    Parameters
    ----------
    W
        The weights, (2m, d), finite; the m rows of W₊ come first. They are copied and read-only.
    slope
        γ, from 0 to 1: the slope of σ on negative inputs.

    Raises
    ------
    ValueError
        If a weight is not finite, the number of rows is odd, or `slope` is not in [0, 1].

    See Also
    --------
    TwoLayerNet.initialize : a random start.

    Notes
    -----
    On a kink, ⟨w, x⟩ = 0, the slope is taken to be 1, as for `LinearNeuron`. Automatic
    differentiation usually takes γ there; random weights never meet the difference.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import TwoLayerNet
    >>> net = TwoLayerNet([[1.0, 0.0], [0.0, 1.0]], slope=0.5)
    >>> net.predict(np.array([[2.0, 3.0], [-2.0, 3.0]]))
    array([-1., -4.])
    """

    W: Float[np.ndarray, "rows d"]
    slope: float

    def __init__(self, W: ArrayLike, *, slope: float) -> None:
        weights = array("W", W, ndim=2).copy()
        if len(weights) % 2:
            raise ValueError(
                f"W must have an even number of rows, got shape {weights.shape}; the first half "
                "are the neurons of sign +, the second those of sign −, as many of either"
            )
        weights.flags.writeable = False
        object.__setattr__(self, "W", weights)
        object.__setattr__(self, "slope", leaky_slope(slope))

    @classmethod
    def initialize(
        cls, *, m: int, d: int, slope: float, scale: float, seed: int | np.random.Generator
    ) -> "TwoLayerNet":
        """Draw all weights from N(0, scale²).

        Parameters
        ----------
        m
            Neurons of either sign, at least 1.
        d
            Features, at least 1.
        slope
            γ in [0, 1].
        scale
            σ₀ > 0, the standard deviation.
        seed
            Of the draw: an int or a generator. An int draws weights that are independent of data
            drawn with the same one.

        Raises
        ------
        ValueError
            If `m` or `d` is below 1, `scale` is not above 0, or `slope` is not in [0, 1].

        Examples
        --------
        >>> from ibtools.models import TwoLayerNet
        >>> TwoLayerNet.initialize(m=3, d=5, slope=0.1, scale=1e-3, seed=0).W.shape
        (6, 5)
        """
        m, d, scale = count("m", m), count("d", d), positive("scale", scale)
        random = generator(seed, weights=True)
        return cls(scale * random.standard_normal((2 * m, d)), slope=slope)

    @property
    def m(self) -> int:
        """The number of neurons of either sign."""
        return len(self.W) // 2

    @property
    def signs(self) -> Float[np.ndarray, " rows"]:
        """The sign of each neuron in the second layer, (2m,): m times 1, then m times −1."""
        return np.repeat([1.0, -1.0], self.m)

    @property
    def W_plus(self) -> Float[np.ndarray, "m d"]:  # noqa: N802
        """The weights of the neurons of sign +, (m, d)."""
        return self.W[: self.m]

    @property
    def W_minus(self) -> Float[np.ndarray, "m d"]:  # noqa: N802
        """The weights of the neurons of sign −, (m, d)."""
        return self.W[self.m :]

    @property
    def parameters(self) -> Float[np.ndarray, " p"]:
        """All weights as one vector, (2m·d,), row by row."""
        return self.W.ravel()

    @checked
    def replace(self, parameters: Float[np.ndarray, " p"]) -> "TwoLayerNet":
        """Return the network with these `parameters` (2m·d,), ordered as in `parameters`.

        An array of floats is not copied.

        Parameters
        ----------
        parameters
            In the order of `parameters`, (2m·d,).
        """
        net = object.__new__(TwoLayerNet)
        object.__setattr__(net, "W", parameters.reshape(self.W.shape))
        object.__setattr__(net, "slope", self.slope)
        return net

    @checked
    def activity(self, X: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "rows n"]:
        """Return which neuron is active, ⟨w, x⟩ ≥ 0, on which row of `X`: (2m, n).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return self.W @ X.T >= 0

    @checked
    def slopes(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "rows n"]:
        """Return the slope of σ, 1 or γ, of each neuron on each row of `X`, (2m, n).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return self._slopes(X)

    def _slopes(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "rows n"]:
        return np.where(self.W @ X.T >= 0, 1.0, self.slope)

    @checked
    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return the outputs f on the rows of `X`, (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        inputs = self.W @ X.T
        return (self.signs / self.m) @ np.where(inputs >= 0, inputs, self.slope * inputs)

    @checked
    def velocity(
        self, X: Float[np.ndarray, "n d"], residual: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " p"]:
        r"""Return :math:`\sum_i r_i\,\partial f(x_i)/\partial\theta`, (2m·d,), of any r (n,).

        With :math:`r_i = -y_i\,\ell'(y_i f(x_i))` it is minus the gradient of the summed loss.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,): by what the gradient of each output is multiplied.
        """
        pull = self.signs[:, None] / self.m * self._slopes(X) * residual
        return (pull @ X).ravel()

    @checked
    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return the Gram matrix, (n, n), of the outputs' gradients in the weights.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        slopes = self._slopes(X)
        return (slopes.T @ slopes) * (X @ X.T) / self.m**2


def leaky_slope(slope: float) -> float:
    """Return γ as a float from 0 to 1, or say what is wrong."""
    slope = real("slope", slope)
    if not 0 <= slope <= 1:
        raise ValueError(
            f"slope must be from 0 to 1, got {slope:g}; 0 is the ReLU, 1 a linear network"
        )
    return slope


def signed_problem(
    X: ArrayLike, y: ArrayLike, *, columns: int | None = None
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Return a finite ``(X, y)`` with labels ±1, whose columns number `columns` if given."""
    X, y = regression_problem(X, y)
    if columns is not None and X.shape[1] != columns:
        raise ValueError(
            f"X must have {columns} columns, one for each column of W, got X {X.shape}; build the "
            f"network with d={X.shape[1]} or change X"
        )
    wrong = np.flatnonzero(np.abs(y) != 1)
    if wrong.size:
        raise ValueError(
            f"y must hold the labels 1 and -1 only, got {y[wrong[0]]:g} at index {wrong[0]}; "
            "map the two classes to 1 and -1"
        )
    return X, y
