"""The potentials that gradient flow minimizes without being asked to."""

from dataclasses import dataclass
from typing import overload

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import array, of_kind, points, vector
from ibtools.models import DiagonalNet, LinearNet, LinearNeuron
from ibtools.models.value import ByValue
from ibtools.theory.warping import WarpedPotential, single_neuron


@dataclass(frozen=True, eq=False)
class HypentropyPotential(ByValue):
    r"""The potential of the diagonal network, a sum of hyperbolic entropies.

    .. math:: q(w) = \sum_i \left[ \tfrac12 \int_0^{w_i}
        \operatorname{arcsinh}\frac{2z}{\sqrt{k_i}} \, dz - \tfrac12 w_i
        \operatorname{arcsinh}\frac{2 w^0_i}{\sqrt{k_i}} \right]

    Its gradient vanishes at the start :math:`w^0`, so its constrained minimizer is the Bregman
    projection of the start; q(0) = 0 (Azulay et al. 2021, Theorem 1 and Appendix A).

    Parameters
    ----------
    sqrt_k
        :math:`\sqrt{k_i} > 0`, shape (d,): small ones make q an ℓ₁ norm, large ones a weighted
        squared ℓ₂ norm.
    start
        :math:`w^0`, shape (d,).

    Raises
    ------
    ValueError
        If an entry of `sqrt_k` is not above 0, or the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory import HypentropyPotential
    >>> q = HypentropyPotential(sqrt_k=[2.0, 2.0], start=[0.0, 0.0])
    >>> q.gradient(np.array([np.sinh(1.0), 0.0]))
    array([0.5, 0. ])
    """

    sqrt_k: Float[np.ndarray, " d"]
    start: Float[np.ndarray, " d"]

    def __init__(self, sqrt_k: ArrayLike, start: ArrayLike) -> None:
        size = array("sqrt_k", sqrt_k, ndim=1).size
        for name, value in (("sqrt_k", sqrt_k), ("start", start)):
            entries = vector(name, value, size=size).copy()
            entries.flags.writeable = False
            object.__setattr__(self, name, entries)
        flat = np.flatnonzero(self.sqrt_k <= 0)
        if flat.size:
            raise ValueError(
                f"sqrt_k must be greater than 0, got {self.sqrt_k[flat[0]]:g} at index {flat[0]}; "
                "a network has sqrt_k = 0 where one of its two halves is zero and the other "
                "balanced: that coordinate can never change sign, and no potential on all of R "
                "exists. Move the start a little"
            )

    @property
    def dim(self) -> int:
        """Number of coordinates d."""
        return self.sqrt_k.size

    @property
    def offset(self) -> Float[np.ndarray, " d"]:
        """Twice the mirror variable of the start, arcsinh(2w⁰/√k), (d,)."""
        return np.arcsinh(2 * self.start / self.sqrt_k)

    def __call__(self, w: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch"] | float:
        """Return q(w), shape (…), for w of shape (…, d).

        Parameters
        ----------
        w
            Weights, (…, d).
        """
        value = np.sum(self.terms(w), axis=-1)
        return float(value) if value.ndim == 0 else value

    def terms(self, w: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
        """Return the d terms whose sum is q(w), shape (…, d).

        Parameters
        ----------
        w
            Weights, (…, d).
        """
        # An entropy of z = 2w/√k is (√k/4)(1 − √(1+z²) + z asinh z); the first two terms cancel for
        # small z, and z² leaves the range of floats: −z²/(1 + √(1+z²)) with one z taken out of the
        # bracket as (√k/4)z = w/2, and with hypot, does neither.
        w = points("w", w, self.dim)
        z = 2 * w / self.sqrt_k
        return w / 2 * (np.arcsinh(z) - z / (1 + np.hypot(1, z)) - self.offset)

    def gradient(self, w: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
        """Return the mirror variable ∇q(w), shape (…, d): zero at the start.

        Parameters
        ----------
        w
            Weights, (…, d).
        """
        return (np.arcsinh(2 * points("w", w, self.dim) / self.sqrt_k) - self.offset) / 2

    def inverse_gradient(self, mirror: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """Return the w, (d,), whose mirror variable ∇q(w) is `mirror`, (d,).

        Parameters
        ----------
        mirror
            A mirror variable, (d,); every one is that of some w.
        """
        mirror = points("mirror", mirror, self.dim)
        # w − w⁰ by a product instead of sinh − sinh, which cancels where √k is large; but where w
        # is small beside w⁰, it is w⁰ plus that product which cancels.
        near = self.start + self.sqrt_k * np.sinh(mirror) * np.cosh(mirror + self.offset)
        far = self.sqrt_k / 2 * np.sinh(2 * mirror + self.offset)
        return np.where(np.abs(near) < np.abs(self.start) / 2, far, near)

    def curvature(self, w: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
        """Return the diagonal of the Hessian, 1/√(k+4w²), shape (…, d).

        Parameters
        ----------
        w
            Weights, (…, d).
        """
        return 1 / np.hypot(self.sqrt_k, 2 * points("w", w, self.dim))

    def hessian(self, w: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
        """Return the Hessian ∇²q(w), (d, d); it is diagonal, see `curvature`.

        Parameters
        ----------
        w
            Weights, (d,).
        """
        return np.diag(self.curvature(vector("w", w, size=self.dim)))


@overload
def implicit_potential(net: DiagonalNet) -> HypentropyPotential: ...


@overload
def implicit_potential(net: LinearNeuron | LinearNet) -> WarpedPotential: ...


def implicit_potential(
    net: DiagonalNet | LinearNeuron | LinearNet,
) -> HypentropyPotential | WarpedPotential:
    r"""Return the potential that gradient flow from `net` minimizes over the interpolators.

    For the diagonal network (Azulay et al. 2021, Theorem 1 and Appendix A), elementwise:

    .. math:: \sqrt{k} = \sqrt{(u_+ - v_+)^2 + (u_- + v_-)^2}\,
        \sqrt{(u_+ + v_+)^2 + (u_- - v_-)^2},

    which for an unbiased start is :math:`2(u_0^2 + v_0^2) = 4\alpha(1+s^2)/(1-s^2)`.

    For one neuron, linear or leaky, in the warped clock: `WarpedPotential` (Theorems 2 and 4). A
    fully connected network has one where it is a single neuron in disguise, as every strictly
    balanced start is (Proposition 1).

    Parameters
    ----------
    net
        The network at initialization.

    Returns
    -------
    HypentropyPotential or WarpedPotential
        A callable ``q(w)`` with ``q.gradient(w)`` and ``q.hessian(w)``.

    Raises
    ------
    TypeError
        If no potential is known for this kind of network.
    ValueError
        If a coordinate starts with :math:`k = 0`; a neuron with a = 0; or a fully connected
        network from a start that has no potential.

    Examples
    --------
    >>> from ibtools.models import DiagonalNet
    >>> from ibtools.theory import implicit_potential
    >>> net = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3)
    >>> q = implicit_potential(net)
    >>> q.sqrt_k
    array([0.04, 0.04, 0.04])
    """
    of_kind("net", net, DiagonalNet, LinearNeuron, LinearNet)
    if isinstance(net, LinearNet):
        net = single_neuron(net)
    if isinstance(net, LinearNeuron):
        return WarpedPotential(delta=net.balancedness, start=net.predictor)
    falling = np.hypot(net.u_plus - net.v_plus, net.u_minus + net.v_minus)
    rising = np.hypot(net.u_plus + net.v_plus, net.u_minus - net.v_minus)
    return HypentropyPotential(sqrt_k=falling * rising, start=net.predictor)
