"""The fully connected two-layer linear network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import (
    array,
    checked,
    count,
    generator,
    positive,
    vector,
)
from ibtools.models.neuron import LinearNeuron, orthonormal_rows, part_outside, unit_vector
from ibtools.models.value import ByValue


@dataclass(frozen=True, eq=False)
class LinearNet(ByValue):
    r"""A fully connected two-layer linear network, :math:`f(x) = a^\top W x`.

    The linear predictor is :math:`\tilde w = W^\top a` (Azulay et al. 2021, Proposition 1 and
    Theorem 3).

    Parameters
    ----------
    a
        Output weights, (m,), finite.
    W
        Input weights, (m, d), finite: row i belongs to neuron i. Both are copied and read-only.

    Raises
    ------
    ValueError
        If a weight is not finite, or `W` has not one row for each entry of `a`.

    See Also
    --------
    LinearNet.strictly_balanced, LinearNet.gaussian

    Examples
    --------
    >>> from ibtools.models import LinearNet
    >>> net = LinearNet(a=[1.0, 2.0], W=[[1.0, 0.0], [0.0, 1.0]])
    >>> net.predictor
    array([1., 2.])
    >>> net.balancedness
    array([[0., 2.],
           [2., 3.]])
    """

    a: Float[np.ndarray, " m"]
    W: Float[np.ndarray, "m d"]

    def __init__(self, a: ArrayLike, W: ArrayLike) -> None:
        outputs, inputs = vector("a", a).copy(), array("W", W, ndim=2).copy()
        if inputs.shape[0] != outputs.size:
            raise ValueError(
                f"W must have one row for each of the {outputs.size} entries of a, got shape "
                f"{inputs.shape}; rows of W are neurons, columns are inputs"
            )
        for name, weights in (("a", outputs), ("W", inputs)):
            weights.flags.writeable = False
            object.__setattr__(self, name, weights)

    @classmethod
    def strictly_balanced(cls, a: ArrayLike, direction: ArrayLike) -> "LinearNet":
        r"""Build the network with :math:`aa^\top = WW^\top` at the start.

        Balancedness makes W of rank one: :math:`W = a\hat u^\top` with a unit vector û, so that
        :math:`\tilde w = \|a\|^2 \hat u`.

        Parameters
        ----------
        a
            Output weights, (m,).
        direction
            The orientation û, (d,), not zero; its length does not matter.

        Raises
        ------
        ValueError
            If `direction` is zero or an entry is not finite.

        Examples
        --------
        >>> from ibtools.models import LinearNet
        >>> LinearNet.strictly_balanced([0.3, -0.4], [0.0, 2.0]).predictor.round(12)
        array([0.  , 0.25])
        """
        return cls(a, np.outer(vector("a", a), unit_vector("direction", direction)))

    @classmethod
    def gaussian(
        cls, *, neurons: int, d: int, scale: float, seed: int | np.random.Generator
    ) -> "LinearNet":
        """Draw all weights independently from N(0, scale²).

        Parameters
        ----------
        neurons, d
            m and d, at least 1.
        scale
            Standard deviation, above 0.
        seed
            An int, or a generator to draw from: first `a`, then `W` row by row. An int draws
            weights that are independent of data drawn with the same one.

        Raises
        ------
        ValueError
            If a count is below 1 or `scale` not above 0.

        Examples
        --------
        >>> from ibtools.models import LinearNet
        >>> LinearNet.gaussian(neurons=3, d=5, scale=0.1, seed=0).W.shape
        (3, 5)
        """
        neurons, d = count("neurons", neurons), count("d", d)
        scale, random = positive("scale", scale), generator(seed, weights=True)
        return cls(
            scale * random.standard_normal(neurons), scale * random.standard_normal((neurons, d))
        )

    @property
    def neurons(self) -> int:
        """Number of neurons m."""
        return self.a.size

    @property
    def predictor(self) -> Float[np.ndarray, " d"]:
        """The linear predictor w̃ = Wᵀa, of shape (d,)."""
        return self.a @ self.W

    @property
    def balancedness(self) -> Float[np.ndarray, "m m"]:
        """The matrix aaᵀ − WWᵀ, (m, m); gradient flow keeps it."""
        return np.outer(self.a, self.a) - self.W @ self.W.T

    def is_strictly_balanced(self, *, tolerance: float = 1e-12) -> bool:
        """Return whether aaᵀ = WWᵀ, to a `tolerance` relative to ‖a‖² + ‖W‖².

        Parameters
        ----------
        tolerance
            The largest difference that counts as none, relative to ‖a‖² + ‖W‖².
        """
        size = np.sum(self.a**2) + np.sum(self.W**2)
        return bool(np.linalg.norm(self.balancedness) <= positive("tolerance", tolerance) * size)

    def as_neuron(self, *, tolerance: float = 1e-12) -> LinearNeuron | None:
        r"""Return the single neuron that this network is, if it is one.

        Where :math:`W = \hat a\,\omega^\top` with :math:`\hat a = a/\|a\|`, flow keeps that form,
        and :math:`(\|a\|, \omega)` moves as one neuron does: for m = 1, for every strictly balanced
        start, and for W = 0.

        Parameters
        ----------
        tolerance
            What may be left of W off that form, relative to ‖a‖ + ‖W‖.

        Returns
        -------
        LinearNeuron or None
            The neuron with output weight ‖a‖ (for m = 1: a itself), or None.
        """
        if self.neurons == 1:
            return LinearNeuron(float(self.a[0]), self.W[0])
        size = float(np.linalg.norm(self.a))
        if size == 0:
            return None
        inputs = (self.a / size) @ self.W
        rest = float(np.linalg.norm(self.W - np.outer(self.a / size, inputs)))
        allowed = positive("tolerance", tolerance) * (size + float(np.linalg.norm(self.W)))
        return LinearNeuron(size, inputs) if rest <= allowed else None

    @property
    def parameters(self) -> Float[np.ndarray, " p"]:
        """All weights as one vector of shape (m + md,), a first, then W row by row."""
        return np.concatenate([self.a, self.W.ravel()])

    @checked
    def replace(self, parameters: Float[np.ndarray, " p"]) -> "LinearNet":
        """Return the network with these `parameters` (m + md,), ordered as in `parameters`.

        An array of floats is not copied.

        Parameters
        ----------
        parameters
            In the order of `parameters`, (m + md,).
        """
        net = object.__new__(LinearNet)
        object.__setattr__(net, "a", parameters[: self.neurons])
        object.__setattr__(net, "W", parameters[self.neurons :].reshape(self.neurons, -1))
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
        """Return −∂L/∂parameters, (m + md,), of the squared loss, r = y − prediction.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,); labels minus outputs.
        """
        pull = residual @ X
        return np.concatenate([self.W @ pull, np.outer(self.a, pull).ravel()])

    @checked
    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return the Gram matrix, (n, n), of the outputs' gradients in the weights.

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        hidden = X @ self.W.T
        return np.sum(self.a**2) * (X @ X.T) + hidden @ hidden.T

    def metric_tensor(self) -> Float[np.ndarray, "d d"]:
        r"""Return H (d, d), the inverse of :math:`\|a\|^2 I + W^\top W`.

        Unlike one neuron's it is not a function of the predictor: for m > 1 networks with the same
        w̃, and even the same conserved matrix, can differ in it.

        Raises
        ------
        ValueError
            If a = 0 and W has no full column rank: there are directions that w̃ cannot move in.
        """
        inverse = np.sum(self.a**2) * np.eye(self.W.shape[1]) + self.W.T @ self.W
        try:
            return np.linalg.inv(inverse)
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "the output weights a must not all be 0 (nor square to 0): the predictor then "
                "moves only within the span of W's rows and the flow has no metric; start at "
                "another a"
            ) from error

    def conserved_quantities(self) -> Float[np.ndarray, "m m"]:
        """Return what gradient flow keeps constant, shape (m, m): the `balancedness`."""
        return self.balancedness

    def compressed(
        self, rows: Float[np.ndarray, "k d"]
    ) -> tuple["LinearNet", Callable[["LinearNet"], "LinearNet"]]:
        """Return the network as data in the span of `rows` see it, and the way back.

        Flow adds to W outer products of a and the data, so the part of W outside their span stays.
        And a moves within the span of a and the columns of WQᵀ: beyond k + 1 neurons, the rest of
        the neurons' space is idle too.

        Parameters
        ----------
        rows
            An orthonormal basis Q of the data's row space, (k, d).

        Returns
        -------
        tuple
            The network of min(m, k + 1) neurons on k inputs, to be trained on XQᵀ; and the function
            that puts such a network's weights back.
        """
        rows = orthonormal_rows(rows, self.W.shape[1])
        seen = self.W @ rows.T
        rest = part_outside(self.W, rows)
        basis = np.eye(self.neurons)
        if self.neurons > len(rows) + 1:
            basis = np.linalg.qr(np.column_stack([self.a, seen]))[0]
        small = LinearNet(self.a @ basis, basis.T @ seen)

        def restore(net: "LinearNet") -> "LinearNet":
            return LinearNet(basis @ net.a, (basis @ net.W) @ rows + rest)

        return small, restore

    @checked
    def velocity_jacobian(
        self, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "p p"]:
        """Return the derivative of the flow's velocity in the weights, minus the loss's Hessian.

        Shape (m + md, m + md).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        y
            Labels, (n,).
        """
        m, d = self.W.shape
        pull = (y - self.predict(X)) @ X
        moment = X.T @ X
        turned = self.W @ moment
        jacobian = np.empty((m + m * d, m + m * d))
        jacobian[:m, :m] = -turned @ self.W.T
        # ∂(Wg)_i/∂W_jl = δ_ij g_l − (WM)_il a_j
        mixed = np.einsum("ij,l->ijl", np.eye(m), pull) - np.einsum("il,j->ijl", turned, self.a)
        jacobian[:m, m:] = mixed.reshape(m, m * d)
        jacobian[m:, :m] = jacobian[:m, m:].T
        jacobian[m:, m:] = -np.kron(np.outer(self.a, self.a), moment)
        return jacobian
