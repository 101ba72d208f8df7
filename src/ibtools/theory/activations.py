"""How far smooth activations are from a ReLU: the constants that near-homogeneity needs."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from scipy.special import expit, ndtr

from ibtools._validation import one_of

Function = Callable[[Float[np.ndarray, " z"]], Float[np.ndarray, " z"]]

# Beyond it the activations here differ from z or 0 by less than a rounding error.
_REACH = 45.0
_GRID = 18001
_STRAIGHT = 1e-12


class ActivationConstants(NamedTuple):
    r"""Suprema of a smooth activation φ over the real line.

    Attributes
    ----------
    kappa
        :math:`\kappa = \sup|\varphi(z) - z\varphi'(z)|`, how far φ is from order 1; 0 for a ReLU.
    slope
        :math:`\sup|\varphi'|`.
    excess
        :math:`\sup(|\varphi(z)| - |z|)`, at least 0.
    """

    kappa: float
    slope: float
    excess: float


def activation_constants(activation: str) -> ActivationConstants:
    r"""Return the constants of an activation that looks like a ReLU from afar.

    Parameters
    ----------
    activation
        "gelu" (:math:`z\,\Phi(z)`), "gelu_tanh" (its approximation by a hyperbolic tangent), "silu"
        (:math:`z/(1+e^{-z})`) or "softplus" (:math:`\log(1+e^z)`).

    Raises
    ------
    ValueError
        If there is no such activation.

    References
    ----------
    Cai et al. (2025), near-homogeneous activations.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory.activations import activation_constants
    >>> bool(activation_constants("softplus").kappa == np.log(2))
    True
    >>> round(activation_constants("gelu").kappa, 8), round(activation_constants("silu").kappa, 8)
    (0.29352533, 0.43922884)
    """
    function, derivative = _SMOOTH[one_of("activation", activation, _SMOOTH)]
    return suprema(function, derivative)


def suprema(function: Function, derivative: Function) -> ActivationConstants:
    """Return the constants of an activation of your own, to about 14 digits.

    Parameters
    ----------
    function
        φ, of arrays. Beyond |z| = 45 it must be straight lines to rounding, no steeper than |z|.
    derivative
        φ'.

    Raises
    ------
    ValueError
        If φ is not straight beyond |z| = 45, or grows faster than |z|: a supremum over the whole
        line would then be none of those between −45 and 45. If `derivative` is not that of
        `function` there.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.theory.activations import suprema
    >>> suprema(lambda z: np.maximum(z, 0.2 * z), lambda z: np.where(z > 0, 1.0, 0.2))
    ActivationConstants(kappa=0.0, slope=1.0, excess=0.0)
    """
    _check_ends(function, derivative)
    return ActivationConstants(
        _supremum(lambda z: np.abs(function(z) - z * derivative(z))),
        _supremum(lambda z: np.abs(derivative(z))),
        max(0.0, _supremum(lambda z: np.abs(function(z)) - np.abs(z))),
    )


def _check_ends(function: Function, derivative: Function) -> None:
    """Raise unless φ is a straight line beyond each end of the grid, and not steeper than |z|."""
    for end in (-_REACH, _REACH):
        z = np.array([1.0, 2.0, 20.0]) * end
        line = function(z[:1]) + (z - end) * derivative(z[:1])
        off = float(np.max(np.abs(function(z) - line) / np.abs(z)))
        if not off <= _STRAIGHT:
            raise ValueError(
                f"function must be straight beyond |z| = {_REACH:g}, got {off:.2g} |z| off the "
                f"line through {end:g} with the slope that derivative gives there; check that "
                "derivative belongs to function, or else compute the suprema by hand and put them "
                "into ActivationConstants"
            )
        slope = float(derivative(z[:1])[0])
        if abs(slope) > 1 + _STRAIGHT:
            raise ValueError(
                f"function must not be steeper than |z| far from 0, got the slope {slope:.6g} at "
                f"{end:g}, so that |φ(z)| − |z| has no supremum; divide function and derivative by "
                f"{abs(slope):.6g} and multiply the layer behind the activation by it"
            )


def _supremum(f: Function) -> float:
    z = np.linspace(-_REACH, _REACH, _GRID)
    values = f(z)
    best = int(values.argmax())
    low, high = z[max(best - 1, 0)], z[min(best + 1, _GRID - 1)]
    found = minimize_scalar(
        lambda t: -float(f(np.array([t]))[0]),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return max(float(values[best]), -float(found.fun))


def _density(z: Float[np.ndarray, " z"]) -> Float[np.ndarray, " z"]:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _tanh_argument(z: Float[np.ndarray, " z"]) -> Float[np.ndarray, " z"]:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def _gelu_tanh_slope(z: Float[np.ndarray, " z"]) -> Float[np.ndarray, " z"]:
    t = np.tanh(_tanh_argument(z))
    return (1 + t) / 2 + z / 2 * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)


_SMOOTH: dict[str, tuple[Function, Function]] = {
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _density(z)),
    "gelu_tanh": (lambda z: z / 2 * (1 + np.tanh(_tanh_argument(z))), _gelu_tanh_slope),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "softplus": (lambda z: np.logaddexp(0.0, z), expit),
}
