"""One neuron in front of one output weight: linear, or with a leaky ReLU."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact
from numpy.typing import ArrayLike

from ibtools._validation import array, checked, positive, real, sign_of, vector
from ibtools.models.value import ByValue


@dataclass(frozen=True, eq=False)
class LinearNeuron(ByValue):
    r"""A two-layer network with one hidden neuron, :math:`f(x) = a\,\sigma(w^\top x)`.

    With ``slope=1`` the neuron is linear and the linear predictor is :math:`\tilde w = aw`. With a
    smaller slope ρ it is a leaky ReLU, :math:`\sigma(z) = z` for z ≥ 0 and ρz below; since σ is
    positively homogeneous, w̃ still determines the output, together with the sign of a:
    :math:`f(x) = \sigma(\tilde w^\top x)` for a > 0 and :math:`-\sigma(-\tilde w^\top x)` for a < 0
    (Azulay et al. 2021, Theorems 2 and 4).

    Parameters
    ----------
    a
        The output weight.
    w
        The input weights, (d,), finite. They are copied and read-only.
    slope
        ρ, above 0 and at most 1: the slope of σ on negative inputs.

    Raises
    ------
    ValueError
        If a weight is not finite, `w` is empty, or `slope` is not in (0, 1].

    See Also
    --------
    LinearNeuron.from_scale_shape : the same, by scale, shape and orientation.

    Notes
    -----
    At :math:`a = 0` with :math:`w^\top X^\top y = 0`, in particular with all weights 0, a linear
    neuron is at a saddle point of the loss and never moves.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import LinearNeuron
    >>> neuron = LinearNeuron(a=1.0, w=[3.0, -4.0])
    >>> neuron.predictor, neuron.balancedness
    (array([ 3., -4.]), -24.0)
    >>> LinearNeuron(a=0.5, w=[1.0, -2.0], slope=0.1).predict(np.array([[1.0, 1.0]]))
    array([-0.05])
    """

    a: float
    w: Float[np.ndarray, " d"]
    slope: float

    def __init__(self, a: float, w: ArrayLike, *, slope: float = 1.0) -> None:
        object.__setattr__(self, "a", real("a", a))
        weights = vector("w", w).copy()
        weights.flags.writeable = False
        object.__setattr__(self, "w", weights)
        slope = real("slope", slope)
        if not 0 < slope <= 1:
            raise ValueError(
                f"slope must be above 0 and at most 1, got {slope:g}; 1 is the linear neuron, and "
                "at 0 (ReLU) the activation cannot be inverted, which the theory needs"
            )
        object.__setattr__(self, "slope", slope)

    @classmethod
    def from_scale_shape(
        cls, *, scale: float, shape: float, direction: ArrayLike, slope: float = 1.0, sign: int = 1
    ) -> "LinearNeuron":
        r"""Build the neuron of a given scale, shape and orientation.

        The scale is :math:`\alpha = |a|\,\|w\| = \|\tilde w\|`, the shape
        :math:`s = (|a| - \|w\|)/(|a| + \|w\|)` and the orientation :math:`\tilde w/\|\tilde w\|`;
        hence :math:`|a| = \sqrt{\alpha(1+s)/(1-s)}` and :math:`\|w\| = \sqrt{\alpha(1-s)/(1+s)}`
        (Azulay et al. 2021).

        Parameters
        ----------
        scale
            α > 0.
        shape
            s, strictly between −1 and 1; 0 starts both layers equal (δ = 0).
        direction
            The orientation, (d,), not zero; its length does not matter.
        slope
            As of the class.
        sign
            Sign of the output weight a: 1 or −1. For the linear neuron both are the same network.

        Raises
        ------
        ValueError
            If `scale` is not above 0, `shape` not strictly between −1 and 1, `direction` zero,
            `sign` not ±1, or `slope` not in (0, 1].

        Examples
        --------
        >>> from ibtools.models import LinearNeuron
        >>> neuron = LinearNeuron.from_scale_shape(scale=0.1, shape=0.0, direction=[3.0, 0.0, 4.0])
        >>> neuron.predictor.round(12)
        array([0.06, 0.  , 0.08])
        """
        scale, shape = positive("scale", scale), real("shape", shape)
        if not -1 < shape < 1:
            raise ValueError(
                f"shape must lie strictly between -1 and 1, got {shape:g}; at ±1 one layer starts "
                "at zero and the other at infinity: take a limit such as shape=0.9999"
            )
        sign = sign_of("sign", sign)
        unit = unit_vector("direction", direction)
        a = sign * np.sqrt(scale * (1 + shape) / (1 - shape))
        return cls(float(a), sign * np.sqrt(scale * (1 - shape) / (1 + shape)) * unit, slope=slope)

    @property
    def predictor(self) -> Float[np.ndarray, " d"]:
        """The predictor w̃ = aw, of shape (d,)."""
        return self.a * self.w

    @property
    def balancedness(self) -> float:
        """How far apart the layers are, δ = a² − ‖w‖²; gradient flow keeps it."""
        size = float(np.linalg.norm(self.w))
        return (abs(self.a) - size) * (abs(self.a) + size)

    @property
    def parameters(self) -> Float[np.ndarray, " p"]:
        """All weights as one vector of shape (1 + d,), a first."""
        return np.concatenate([[self.a], self.w])

    @checked
    def replace(self, parameters: Float[np.ndarray, " p"]) -> "LinearNeuron":
        """Return the neuron with these `parameters` (1 + d,), ordered as in `parameters`.

        An array of floats is not copied.

        Parameters
        ----------
        parameters
            In the order of `parameters`, (1 + d,).
        """
        return self._with(parameters)

    def _with(self, parameters: Float[np.ndarray, " p"]) -> "LinearNeuron":
        neuron = object.__new__(LinearNeuron)
        object.__setattr__(neuron, "a", float(parameters[0]))
        object.__setattr__(neuron, "w", parameters[1:])
        object.__setattr__(neuron, "slope", self.slope)
        return neuron

    @checked
    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return the outputs on the rows of `X`, shape (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        inputs = X @ self.w
        return self.a * self._slopes(inputs) * inputs

    @checked
    def velocity(
        self, X: Float[np.ndarray, "n d"], residual: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " p"]:
        """Return −∂L/∂parameters, (1 + d,), of the squared loss with residual r = y − prediction.

        On a kink (wᵀx = 0) the slope of the leaky ReLU is taken to be 1.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,); labels minus outputs.
        """
        inputs = X @ self.w
        pull = (self._slopes(inputs) * residual) @ X
        return np.concatenate([[self.w @ pull], self.a * pull])

    @checked
    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return the Gram matrix, (n, n), of the outputs' gradients in the weights.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        inputs = X @ self.w
        slopes = self._slopes(inputs)
        tilted = slopes[:, None] * X
        return self.a**2 * (tilted @ tilted.T) + np.outer(slopes * inputs, slopes * inputs)

    def _slopes(self, inputs: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return np.where(inputs >= 0, 1.0, self.slope)

    def metric_tensor(self) -> Float[np.ndarray, "d d"]:
        r"""Return H (d, d) of the flow on the predictor of the linear neuron.

        .. math:: \dot{\tilde w} = (a^2 I + ww^\top) X^\top r, \qquad
            H = \frac1{a^2}\Big(I - \frac{ww^\top}{a^2 + \|w\|^2}\Big)

        The leaky neuron moves in the same metric, with each sample's residual multiplied by the
        slope of σ there.

        Raises
        ------
        ValueError
            If a = 0: the predictor then moves along w only.
        """
        if self.a**2 == 0:
            raise ValueError(
                f"the output weight a must not be 0 (nor its square underflow), got {self.a:g}; "
                "the predictor there moves along w only and the flow has no metric; start at "
                "another a"
            )
        total = self.a**2 + self.w @ self.w
        return (np.eye(self.w.size) - np.outer(self.w, self.w) / total) / self.a**2

    def metric_at(self) -> Callable[[Inexact[np.ndarray, " d"]], Inexact[np.ndarray, "d d"]]:
        r"""Return the metric tensor as an analytic function of the predictor w̃, at this δ.

        Where flow can go, :math:`a^2` is a function of w̃ alone: with
        :math:`R = \sqrt{\|\tilde w\|^2 + \delta^2/4}`,

        .. math:: a^2 = R + \delta/2, \qquad
            H(\tilde w) = \frac{I}{a^2} - \frac{\tilde w \tilde w^\top}{2R\,a^4}.

        The function accepts complex w̃, so that it can be differentiated by a complex step.

        Examples
        --------
        >>> from ibtools.models import LinearNeuron
        >>> from ibtools.theory import hessian_map_defect
        >>> neuron = LinearNeuron(a=1.0, w=[0.6, 0.8])
        >>> hessian_map_defect(neuron.metric_at(), neuron.predictor)[0].round(12) + 0.0
        array([[ 0. , -0.4],
               [ 0.4,  0. ]])
        """
        delta = self.balancedness

        def metric(predictor: Inexact[np.ndarray, " d"]) -> Inexact[np.ndarray, "d d"]:
            squared = predictor @ predictor
            root = np.sqrt(squared + delta**2 / 4)
            # The sum cancels for δ < 0; the product (R + δ/2)(R − δ/2) = ‖w̃‖² does not.
            a_squared = root + delta / 2 if delta >= 0 else squared / (root - delta / 2)
            outer = np.outer(predictor, predictor)
            return np.eye(predictor.size) / a_squared - outer / (2 * root * a_squared**2)

        return metric

    def conserved_quantities(self) -> Float[np.ndarray, "1"]:
        """Return what gradient flow keeps constant, shape (1,): the `balancedness`."""
        return np.array([self.balancedness])

    def compressed(
        self, rows: Float[np.ndarray, "k d"]
    ) -> tuple["LinearNeuron", Callable[["LinearNeuron"], "LinearNeuron"]]:
        """Return the neuron as data in the span of `rows` see it, and the way back.

        Flow adds to w combinations of the data only, so the part of w outside their span stays as
        it is and can be set aside.

        Parameters
        ----------
        rows
            An orthonormal basis Q of the data's row space, (k, d).

        Returns
        -------
        tuple
            The neuron with input weights Qw, (k,), which is to be trained on XQᵀ; and the function
            that puts such a neuron's weights back into (d,).
        """
        rows = orthonormal_rows(rows, self.w.size)
        small = self._with(np.concatenate([[self.a], rows @ self.w]))
        rest = part_outside(self.w, rows)

        def restore(neuron: "LinearNeuron") -> "LinearNeuron":
            return self._with(np.concatenate([[neuron.a], neuron.w @ rows + rest]))

        return small, restore

    @checked
    def velocity_jacobian(
        self, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "p p"]:
        """Return the derivative of the flow's velocity in the weights, minus the loss's Hessian.

        Away from the kinks, where it exists; (1 + d, 1 + d).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        y
            Labels, (n,).
        """
        inputs = X @ self.w
        slopes = self._slopes(inputs)
        pull = (slopes * (y - self.a * slopes * inputs)) @ X
        tilted = slopes[:, None] * X
        turn = (slopes * inputs) @ tilted
        jacobian = np.empty((1 + self.w.size, 1 + self.w.size))
        jacobian[0, 0] = -np.sum((slopes * inputs) ** 2)
        jacobian[0, 1:] = jacobian[1:, 0] = pull - self.a * turn
        jacobian[1:, 1:] = -(self.a**2) * (tilted.T @ tilted)
        return jacobian


def orthonormal_rows(rows: object, columns: int) -> Float[np.ndarray, "k d"]:
    """Return an orthonormal basis of a space of data, one vector a row."""
    rows = array("rows", rows, ndim=2)
    if rows.shape[1] != columns:
        raise ValueError(
            f"rows must have {columns} columns, one for each of the network's inputs, got shape "
            f"{rows.shape}; give the row space of the data: numpy.linalg.qr(X.T)[0].T"
        )
    gram = rows @ rows.T
    if np.abs(gram - np.eye(len(rows))).max() > 1e-8:
        raise ValueError(
            "rows must be orthonormal, got rows whose inner products are off by "
            f"{np.abs(gram - np.eye(len(rows))).max():.2g}; give numpy.linalg.qr(X.T)[0].T"
        )
    return rows


def part_outside(
    w: Float[np.ndarray, "*m d"], rows: Float[np.ndarray, "k d"]
) -> Float[np.ndarray, "*m d"]:
    """Return the part of weights outside the span of orthonormal rows.

    What one projection leaves inside is rounding of the size of the weights: for a limit far below
    them, all that would be seen. The second projection takes it out.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models.neuron import part_outside
    >>> part_outside(np.array([3.0, 4.0]), np.array([[0.0, 1.0]]))
    array([3., 0.])
    """
    if len(rows) == w.shape[-1]:
        return np.zeros_like(w)
    rest = w - (w @ rows.T) @ rows
    return rest - (rest @ rows.T) @ rows


def unit_vector(name: str, value: ArrayLike) -> Float[np.ndarray, " d"]:
    """Return `value` divided by its length, however small or large that is."""
    direction = array(name, value, ndim=1)
    largest = np.abs(direction).max()
    if largest == 0:
        raise ValueError(
            f"{name} must not be zero, got {direction.size} zeros; give a vector that points "
            "somewhere, its length does not matter"
        )
    direction = direction / largest
    return direction / np.linalg.norm(direction)
