"""What gradient descent is sure of on a net that is only nearly homogeneous, and by which step."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.polynomial import Polynomial
from numpy.polynomial.polynomial import polyadd, polymul

from ibtools._validation import offering, positive, real, vector

# ψ − p_a at the start. From here on all falls together stay below 0.37 of the margin, for every M.
LEAST_EXCESS = 6.0
_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(64)


@runtime_checkable
class NearlyHomogeneous(Protocol):
    """Order and bounds of a net, as `NearHomogeneity` has them."""

    @property
    def order(self) -> int:
        """M."""
        ...

    @property
    def gap(self) -> Polynomial:
        """p_a."""
        ...

    @property
    def gradient(self) -> Polynomial:
        """q′."""
        ...


@dataclass(frozen=True)
class DescentGuarantee:
    r"""The longest step that the theorem allows, and what it promises of steps up to that length.

    Attributes
    ----------
    order
        M.
    log_loss
        log 𝓛₀ of the summed loss at the start.
    norm
        ρ₀.
    margin
        γ₀, the modified margin at the start.
    curvature
        G = q′² + q″, so that :math:`\|\nabla^2\mathcal L\| \le \mathcal L\,G(\rho)`.
    log_step_size
        log of the longest step η on the summed loss: :math:`\eta\,\mathcal L_0\,K(\psi_0) = 1`.
    constant
        C ≤ 2.01 in `margin_price`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from numpy.polynomial import Polynomial
    >>> from ibtools.theory import descent_guarantee, near_homogeneity
    >>> neuron = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.Softplus())
    >>> h = near_homogeneity(neuron, radius=1.0)
    >>> found = descent_guarantee(h, hessian=Polynomial([0.25]), log_loss=-10.0, norm=20.0)
    >>> found.scaled_curvature(12.0), round(found.margin_price(-12.0), 4)
    (1.25, 0.0105)
    >>> round(found.log_loss_bound(20.0), 4)
    -16.3923
    >>> gained = found.least_gain(
    ...     defect=np.array([0.7]), log_loss=np.array([-12.0]), norm=np.array([22.0]),
    ...     gradient_norm=np.array([0.9]), alignment=np.array([0.99])
    ... )
    >>> gained.round(4)
    array([-0.0044])
    """

    order: int
    log_loss: float
    norm: float
    margin: float
    curvature: Polynomial
    log_step_size: float
    constant: float

    @property
    def least_margin(self) -> float:
        """γ₀/2: the modified margin never falls to it."""
        return self.margin / 2

    def scaled_curvature(self, psi: float) -> float:
        r"""Return K(ψ) = G((2ψ/γ₀)^{1/M}), at least G(ρ) wherever the loss is e^−ψ.

        Parameters
        ----------
        psi
            ψ = log 1/𝓛 ≥ 0.
        """
        psi = real("psi", psi)
        if psi < 0:
            raise ValueError(
                f"psi must be at least 0, got {psi:g}; it is log(1/loss) of a small loss"
            )
        return float(self.curvature((psi / self.least_margin) ** (1 / self.order)))

    def margin_price(self, log_loss: float, *, share: float = 1.0) -> float:
        r"""Return B(𝓛): from this loss on all falls of the modified margin together are below it.

        .. math:: B(\mathcal L) = \frac{C\,\eta}{\rho_0^M}\int_0^{\mathcal L} K(\log 1/s)\,ds,

        and :math:`\gamma^m - B(\mathcal L)` never decreases along descent.

        Parameters
        ----------
        log_loss
            log 𝓛, at most that of the start.
        share
            Length of the steps as a share of the longest one, above 0 and at most 1.

        Raises
        ------
        ValueError
            If the loss is larger than at the start, or the share out of range.
        """
        psi = -self._checked(log_loss)
        share = real("share", share)
        if not 0 < share <= 1:
            raise ValueError(
                f"share must be above 0 and at most 1, got {share:g}; nothing is proven of steps "
                "longer than the bound"
            )
        # ∫₀^𝓛 K(log 1/s) ds = e^−ψ ∫₀^∞ K(ψ + s) e^−s ds
        mean = float(_WEIGHTS @ [self.scaled_curvature(psi + node) for node in _NODES])
        size = self.log_step_size - psi + math.log(mean) - self.order * math.log(self.norm)
        return share * self.constant * math.exp(size)

    def least_gain(
        self,
        *,
        defect: Float[np.ndarray, " t"],
        log_loss: Float[np.ndarray, " t"],
        norm: Float[np.ndarray, " t"],
        gradient_norm: Float[np.ndarray, " t"],
        alignment: Float[np.ndarray, " t"],
    ) -> Float[np.ndarray, " t"]:
        r"""Return what one step of the longest length must add to the modified margin, times ρ⁺^M.

        .. math:: (1 - \beta^2)\frac u{\mathcal L} - D, \qquad
            D = \frac u{\mathcal L}\Big(\frac{\eta\,\mathcal L K}2
            + \frac{\eta\,\mathcal L\,\mu}{2\rho^2}\Big)
            + \mu\Big(\frac{e^{Me} - 1}M - e\Big),

        with :math:`\mu = M\psi - p'`, :math:`u = \eta\|\nabla\mathcal L\|^2` and
        :math:`e = \beta\sigma + \sigma^2/2`, :math:`\sigma = \eta\|\nabla\mathcal L\|/\rho`.

        Parameters
        ----------
        defect
            p′(ρ), (t,).
        log_loss
            log 𝓛, (t,), at most that of the start.
        norm
            ρ, (t,).
        gradient_norm
            ‖∇log 𝓛‖, (t,).
        alignment
            β, (t,).
        """
        defect = vector("defect", defect)
        log_loss, norm, gradient_norm, alignment = (
            vector(name, value, size=defect.size)
            for name, value in (
                ("log_loss", log_loss),
                ("norm", norm),
                ("gradient_norm", gradient_norm),
                ("alignment", alignment),
            )
        )
        M, psi = self.order, -log_loss
        step = np.exp(self.log_step_size + log_loss)  # η𝓛
        u = step * gradient_norm**2  # u/𝓛
        mu = M * psi - defect
        sigma = step * gradient_norm / norm
        e = alignment * sigma + sigma**2 / 2
        curvature = np.array([self.scaled_curvature(float(value)) for value in psi])
        lack = u * step * (curvature + mu / norm**2) / 2 + mu * (np.expm1(M * e) / M - e)
        return np.asarray((1 - alignment**2) * u - lack)

    def log_loss_bound(self, log_time: float) -> float:
        r"""Return a bound on log 𝓛 after steps of total length T.

        .. math:: \frac1{\mathcal L} \ge
            \frac1{\mathcal L_0} + \tfrac18 M^2\gamma_0^2\rho_0^{2M-2}\,T.

        Parameters
        ----------
        log_time
            log T, T the sum of the steps on the summed loss; −inf at the start.
        """
        if not (isinstance(log_time, float) and log_time == -math.inf):
            log_time = real("log_time", log_time)
        growth = math.log(self.order * self.margin) + (self.order - 1) * math.log(self.norm)
        return -float(np.logaddexp(-self.log_loss, 2 * growth - math.log(8) + log_time))

    def _checked(self, log_loss: float) -> float:
        if real("log_loss", log_loss) > self.log_loss:
            raise ValueError(
                f"log_loss must be at most that of the start, {self.log_loss:g}, got "
                f"{log_loss:g}; under the condition the loss never rises"
            )
        return float(log_loss)


def descent_guarantee(
    near_homogeneity: NearlyHomogeneous,
    *,
    hessian: Polynomial,
    log_loss: float,
    norm: float,
) -> DescentGuarantee:
    r"""Return the longest step with which gradient descent all but keeps the modified margin.

    Let f be twice continuously differentiable in θ and near-M-homogeneous, with
    :math:`\|\nabla f\| \le q'(\rho)` and :math:`\|\nabla^2 f\| \le q''(\rho)`, and 𝓛 the summed
    exponential loss. From a start with :math:`\psi_0 - p_a(\rho_0) \ge 6`, steps of any lengths up
    to η with

    .. math:: \eta\,\mathcal L_0\,G(\kappa\rho_0) \le 1, \qquad G = q'^2 + q'', \qquad
        \kappa = \Big(\frac{2\psi_0}{\psi_0 - p_a(\rho_0)}\Big)^{1/M}

    lower the loss at every step, keep the data strongly separated, and lower the modified margin,
    if at all, by less than 0.37 of itself in all steps together.

    Parameters
    ----------
    near_homogeneity
        Order, p_a and q′ of the net, from `near_homogeneity`.
    hessian
        q″, a polynomial with coefficients ≥ 0 of degree at most 2M − 2.
    log_loss
        log 𝓛₀ of the summed loss at the start.
    norm
        ρ₀ = ‖θ₀‖ > 0.

    Returns
    -------
    DescentGuarantee
        The step, and functions of what it promises.

    Raises
    ------
    TypeError, ValueError
        If a number is not finite or out of range, q″ has a negative coefficient or too high a
        degree, or ψ₀ − p_a(ρ₀) is below 6: train longer first.

    References
    ----------
    This book's theorem on descent; for homogeneous nets another condition is in Lyu and Li (2020),
    `log_descent_step_bound`.

    See Also
    --------
    near_homogeneity : Derives M, p_a and q′ from the layers of a net.
    log_descent_step_bound : The condition for homogeneous nets.

    Examples
    --------
    One neuron softplus(⟨w, x⟩) on inputs of norm at most 1: q′ = 1, q″ = 1/4.

    >>> import torch
    >>> from numpy.polynomial import Polynomial
    >>> from ibtools.theory import descent_guarantee, near_homogeneity
    >>> neuron = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.Softplus())
    >>> h = near_homogeneity(neuron, radius=1.0)
    >>> found = descent_guarantee(h, hessian=Polynomial([0.25]), log_loss=-10.0, norm=20.0)
    >>> round(found.log_step_size, 6)  # 10 − log(1 + 1/4)
    9.776856
    >>> round(found.margin_price(-10.0) / found.margin, 4), round(found.log_loss_bound(20.0), 4)
    (0.1665, -16.3923)
    """
    offering(
        "near_homogeneity",
        near_homogeneity,
        "order",
        "gap",
        "gradient",
        mend="take ibtools.theory.near_homogeneity(net, radius=...)",
    )
    offering("hessian", hessian, "coef", mend="give a numpy.polynomial.Polynomial in the norm")
    order = near_homogeneity.order
    psi, norm = -real("log_loss", log_loss), positive("norm", norm)
    coefficients = np.asarray(hessian.coef, dtype=np.float64)
    if not np.all(coefficients >= 0):
        raise ValueError(
            f"hessian must have coefficients of at least 0, got {coefficients.min():g}; replace "
            "each by its absolute value: the polynomial stays a bound"
        )
    degree = int(np.flatnonzero(coefficients).max(initial=0))
    if degree > 2 * order - 2:
        raise ValueError(
            f"hessian must have degree at most 2M − 2 = {2 * order - 2}, got {degree}; derive a "
            "sharper bound: no second derivative of layers grows faster"
        )
    gap = float(near_homogeneity.gap(norm))
    excess = psi - gap
    if excess < LEAST_EXCESS:
        raise ValueError(
            f"log_loss must be at most −p_a(ρ) − {LEAST_EXCESS:g} = {-gap - LEAST_EXCESS:g}, got "
            f"{-psi:g}; the theorem starts where the data are strongly separated by that much: "
            "train longer before it"
        )
    slope = np.asarray(near_homogeneity.gradient.coef, dtype=np.float64)
    curvature = Polynomial(polyadd(polymul(slope, slope), coefficients), symbol="r")
    margin = excess / norm**order
    # The least value of Mψ − p′ that descent can come to.
    w = order * excess / 2
    spread = (1 + order * (1 + 0.5 / w) ** 2 * math.exp(order / w * (1 + 0.5 / w))) / w
    factor = (2 * psi / excess) ** (1 / order)
    return DescentGuarantee(
        order=order,
        log_loss=-psi,
        norm=norm,
        margin=margin,
        curvature=curvature,
        log_step_size=psi - math.log(float(curvature(factor * norm))),
        constant=1 + spread,
    )
