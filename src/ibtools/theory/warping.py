"""Changing the clock: the warp that turns the linear neuron's metric into a Hessian."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import entries, points, real, vector
from ibtools.models import LinearNet, LinearNeuron
from ibtools.models.value import ByValue


def layer_sizes(
    delta: float, size: Float[np.ndarray, "*batch"] | float
) -> tuple[Float[np.ndarray, "*batch"], Float[np.ndarray, "*batch"]]:
    r"""Return |a| and ‖w‖ of a neuron with a² − ‖w‖² = δ and |a|·‖w‖ = ‖w̃‖ = `size`.

    With :math:`R = \sqrt{\|\tilde w\|^2 + \delta^2/4}` they are :math:`\sqrt{R + \delta/2}` and
    :math:`\sqrt{R - \delta/2}`. The larger of the two is computed so, and the smaller as the
    quotient :math:`\|\tilde w\|/\text{larger}`, which does not cancel.

    Parameters
    ----------
    delta
        δ, any sign.
    size
        ‖w̃‖ ≥ 0, any shape.

    Examples
    --------
    >>> from ibtools.theory.warping import layer_sizes
    >>> layer_sizes(3.0, 2.0)
    (array(2.), array(1.))
    """
    size = entries("size", size)
    larger = np.asarray(np.sqrt(np.hypot(size, delta / 2) + abs(delta) / 2))
    smaller = np.divide(size, larger, out=np.zeros_like(size), where=larger > 0)
    return (larger, smaller) if delta >= 0 else (smaller, larger)


def warp(delta: float, w: ArrayLike) -> float:
    r"""Return the factor g by which the linear neuron's clock τ runs, dτ = g dt.

    .. math:: g(\tilde w) = \tfrac32 |a| =
        \tfrac32 \sqrt{\delta/2 + \sqrt{\|\tilde w\|^2 + \delta^2/4}}

    It makes gH the Hessian of a potential, where H, the neuron's metric tensor, is none (Azulay et
    al. 2021, Theorem 2). Any constant multiple of g does so too; this one gives the potential
    :math:`\|\tilde w\|^{3/2}` for δ = 0.

    Parameters
    ----------
    delta
        δ = a² − ‖w‖², the neuron's balancedness.
    w
        The predictor w̃, (d,).

    Raises
    ------
    ValueError
        If an argument is not finite.

    Examples
    --------
    >>> from ibtools.theory import warp
    >>> warp(3.0, [0.0, 2.0])
    3.0
    """
    outer, _ = layer_sizes(real("delta", delta), float(_norm(vector("w", w))))
    return 1.5 * float(outer)


def neuron_metric_defect(delta: float, w: ArrayLike) -> Float[np.ndarray, "d d d"]:
    r"""Return the linear neuron's Hessian-map defect in closed form.

    .. math:: \partial_k H_{ij} - \partial_j H_{ik} =
        -\frac{1_{ij} \tilde w_k - 1_{ik} \tilde w_j}{2 R a^4}

    where :math:`1_{ij}` is the identity matrix and :math:`R = \sqrt{\|\tilde w\|^2 + \delta^2/4}`.
    For d ≥ 2 it vanishes at w̃ = 0 only: without a change of clock the neuron's flow is not mirror
    flow, of any potential.

    Parameters
    ----------
    delta
        δ = a² − ‖w‖².
    w
        The predictor w̃, (d,).

    Raises
    ------
    ValueError
        If an argument is not finite, or a = 0 there (w̃ = 0 with δ ≤ 0).

    Examples
    --------
    >>> from ibtools.theory import neuron_metric_defect
    >>> neuron_metric_defect(0.0, [0.6, 0.8])[0].round(12)
    array([[ 0. , -0.4],
           [ 0.4,  0. ]])
    """
    delta, w = real("delta", delta), vector("w", w)
    size = float(_norm(w))
    outer, _ = layer_sizes(delta, size)
    if outer == 0:
        raise ValueError(
            f"w must not be 0 where delta ≤ 0 (delta={delta:g}): the output weight vanishes there "
            "and the neuron has no metric; take another point"
        )
    unit = np.eye(w.size)
    pairs = unit[:, None, :] * w[:, None] - unit[:, :, None] * w
    return pairs / (2 * np.hypot(size, delta / 2) * outer**4)


def single_neuron(net: LinearNet) -> LinearNeuron:
    r"""Return the one neuron that a fully connected network is, or refuse.

    No potential in w̃ alone can serve two neurons or more in general: its minimizer would not
    depend on the weights of the samples in the loss, and the limit of the flow does.

    Parameters
    ----------
    net
        The network at initialization.

    Raises
    ------
    ValueError
        If the network is not a single neuron in disguise (`LinearNet.as_neuron`).

    Examples
    --------
    >>> from ibtools.models import LinearNet
    >>> from ibtools.theory.warping import single_neuron
    >>> single_neuron(LinearNet.strictly_balanced([3.0, 4.0], [0.0, 1.0])).a
    5.0
    """
    neuron = net.as_neuron()
    if neuron is None:
        raise ValueError(
            f"net must be a single neuron in disguise (W = a uᵀ), got {net.neurons} neurons in "
            "general position: their limit moves when the samples are weighted differently in the "
            "loss, so no potential of the predictor alone leads there; use gradient_flow, a "
            "LinearNet.strictly_balanced start, or small_start_bound"
        )
    return neuron


@dataclass(frozen=True, eq=False)
class WarpedPotential(ByValue):
    r"""The potential of the linear neuron in the clock τ.

    .. math:: q(\tilde w) = \hat q_\delta(\|\tilde w\|) - \nabla\hat q_\delta(\tilde w_0)^\top
        \tilde w, \qquad \hat q_\delta(x) = \tfrac32 \int_0^x
        \sqrt{\sqrt{z^2 + \delta^2/4} - \delta/2} \, dz

    Its gradient is :math:`\tfrac32\operatorname{sgn}(a)(w - w_0)`, so that the mirror variable is
    the first layer; it vanishes at the start, and q(0) = 0 (Azulay et al. 2021, Theorem 2; the case
    δ = 0, :math:`\hat q_0(x) = x^{3/2}`, is Proposition 1). For δ < 0 the potential has a corner at
    w̃ = 0, where the output weight vanishes.

    Parameters
    ----------
    delta
        δ = a² − ‖w‖², any sign.
    start
        w̃₀, (d,).

    Raises
    ------
    ValueError
        If an argument is not finite, or a = 0 at the start (w̃₀ = 0 with δ ≤ 0).

    Examples
    --------
    >>> from ibtools.theory import WarpedPotential
    >>> q = WarpedPotential(delta=0.0, start=[0.0, 1.0])
    >>> q([4.0, 0.0]), q([0.0, 4.0])
    (8.0, 2.0)
    >>> q.gradient([4.0, 0.0])
    array([ 3. , -1.5])
    """

    delta: float
    start: Float[np.ndarray, " d"]

    def __init__(self, delta: float, start: ArrayLike) -> None:
        object.__setattr__(self, "delta", real("delta", delta))
        entries = vector("start", start).copy()
        entries.flags.writeable = False
        object.__setattr__(self, "start", entries)
        outer, _ = layer_sizes(self.delta, float(_norm(self.start)))
        if outer == 0:
            raise ValueError(
                f"start must not be 0 where delta ≤ 0 (delta={self.delta:g}): the output weight a "
                "is 0 there, so the start does not tell on which side of a = 0 the neuron will "
                "move; give it an a that is not 0"
            )

    @property
    def dim(self) -> int:
        """Number of coordinates d."""
        return self.start.size

    @property
    def tilt(self) -> Float[np.ndarray, " d"]:
        """The linear term z = −(3/2) sgn(a₀) w₀ of q = q̂ + zᵀw̃, (d,)."""
        return -self._slope(self.start)

    def radial(self, size: Float[np.ndarray, "*batch"] | float) -> Float[np.ndarray, "*batch"]:
        r"""Return q̂(x) at x = `size` ≥ 0, of any shape; q̂(0) = 0.

        It is :math:`|a|^3 - \tfrac32\delta|a|`, less its value at 0, in a form that cancels
        nowhere: with n = ‖w‖, :math:`n^2(n^2 + |a|\sqrt\delta + \delta/2)/(|a| + \sqrt\delta)` for
        δ ≥ 0, and :math:`|a|(a^2 + \tfrac32|\delta|)` for δ < 0.

        Parameters
        ----------
        size
            x = ‖w̃‖, at least 0, of any shape.
        """
        outer, inner = layer_sizes(self.delta, size)
        if self.delta < 0:
            return np.asarray(outer * (outer**2 + 1.5 * abs(self.delta)))
        root = np.sqrt(self.delta)
        # Divide first: for δ = 0 and a tiny x, n⁴ would underflow long before n⁴/|a| does.
        share = np.divide(inner, outer + root, out=np.zeros_like(inner), where=inner > 0)
        return np.asarray(share * inner * (inner**2 + outer * root + self.delta / 2))

    def __call__(
        self, w: Float[np.ndarray, "*batch d"] | ArrayLike
    ) -> Float[np.ndarray, "*batch"] | float:
        """Return q(w̃), shape (…), for w̃ of shape (…, d).

        Parameters
        ----------
        w
            w̃, (…, d).
        """
        w = points("w", w, self.dim)
        value = self.radial(_norm(w)) + w @ self.tilt
        return float(value) if value.ndim == 0 else value

    def gradient(
        self, w: Float[np.ndarray, "*batch d"] | ArrayLike
    ) -> Float[np.ndarray, "*batch d"]:
        """Return the mirror variable ∇q(w̃) = (3/2) sgn(a)(w − w₀), shape (…, d).

        At the corner w̃ = 0 of δ < 0 it is the middle of the subdifferential.

        Parameters
        ----------
        w
            w̃, (…, d).
        """
        return self._slope(points("w", w, self.dim)) + self.tilt

    def curvature(self, w: Float[np.ndarray, " d"]) -> tuple[float, float]:
        r"""Return the Hessian's eigenvalues across and along w̃.

        :math:`\tfrac32/|a|`, d − 1 times, and :math:`\tfrac34|a|/R`; at w̃ = 0 they agree.

        Parameters
        ----------
        w
            w̃, (d,).
        """
        size = float(_norm(vector("w", w, size=self.dim)))
        outer = float(layer_sizes(self.delta, size)[0])
        if outer == 0:
            return np.inf, (0.0 if self.delta < 0 else np.inf)
        return 1.5 / outer, 0.75 * outer / float(np.hypot(size, self.delta / 2))

    def hessian(self, w: Float[np.ndarray, " d"] | ArrayLike) -> Float[np.ndarray, "d d"]:
        r"""Return the Hessian ∇²q(w̃) = g(w̃)H(w̃), (d, d).

        Parameters
        ----------
        w
            w̃, (d,).

        Raises
        ------
        ValueError
            If w̃ = 0 and δ ≤ 0: q is not twice differentiable there.
        """
        w = vector("w", w, size=self.dim)
        across, along = self.curvature(w)
        if not np.isfinite(across):
            raise ValueError(
                f"w must not be 0 where delta ≤ 0 (delta={self.delta:g}): the potential is not "
                "twice differentiable there; take another point"
            )
        size = _norm(w)
        unit = w / size if size > 0 else w
        return across * np.eye(w.size) - (across - along) * np.outer(unit, unit)

    def _slope(self, w: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch d"]:
        """Return ∇q̂ = (3/2)w̃/|a|, shape (…, d)."""
        outer = np.asarray(layer_sizes(self.delta, _norm(w))[0])[..., None]
        return 1.5 * np.divide(w, outer, out=np.zeros_like(w), where=outer > 0)


def _norm(w: Float[np.ndarray, "*batch d"]) -> Float[np.ndarray, "*batch"]:
    """Return the length of w, (…), without squaring what would over- or underflow."""
    largest = np.max(np.abs(w), axis=-1)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return np.asarray(scale * np.linalg.norm(w / scale[..., None], axis=-1))
