"""Nets that are not homogeneous: the checkers of the exercises."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from jaxtyping import Float
from numpy.polynomial import Polynomial

from ibtools.course.questions import function, number, option
from ibtools.course.registry import Checker
from ibtools.theory import descent_guarantee, loss_rate_constant

Cases = list[tuple[Any, ...]]


def _spent(R: float, kappa: float, k: int) -> float:
    """Return the largest of 2‖v‖(R‖U‖ + κ√k ‖W‖) for norms whose squares sum to 1."""
    share = kappa * np.sqrt(k)
    quadratic = np.array([[0, R, share], [R, 0, 0], [share, 0, 0]])
    return float(np.linalg.eigvalsh(quadratic)[-1])


_BLOCKS = Checker(
    "nh.blocks",
    minutes=30,
    questions=(
        function(
            "coefficient",
            r"a function of $(R,\kappa,k)$ that returns the coefficient of $\rho^2$ in $p'$",
            _spent,
            lambda rng: [
                (float(R), float(kappa), int(k))
                for R, kappa, k in zip(
                    rng.uniform(1, 3, 3), rng.uniform(0.1, 0.6, 3), (4, 7, 12), strict=True
                )
            ],
            {
                "both products at their largest": (
                    lambda R, kappa, k: R + kappa * np.sqrt(k),
                    "Both products cannot be at their largest with one budget.",
                ),
                "the width forgotten": (
                    lambda R, kappa, k: float(np.hypot(R, kappa)),
                    "The constant holds for one entry. How many are there?",
                ),
                "the two before the sum": (
                    lambda R, kappa, k: 2 * _spent(R, kappa, k),
                    "A product of two norms is at most a share of the sum of their squares.",
                ),
            },
            rtol=1e-6,
        ),
    ),
)


def _defects(rng: np.random.Generator) -> Cases:
    return [(rng.uniform(0, 2, M), M) for M in (2, 3, 5)]


def _gap(coefficients: Float[np.ndarray, " M"], M: int) -> Float[np.ndarray, " M"]:
    """Return the integral of p'(cρ) / c^(M+1) over c from 1 on, coefficient by coefficient."""
    return np.array([c / (M - i) for i, c in enumerate(coefficients)])


_SHARP = Checker(
    "nh.sharp",
    minutes=20,
    questions=(
        function(
            "lower",
            r"a function of the coefficients of $p'$, the constant first, and $M$, that returns "
            r"the "
            r"coefficients of $f-\theta^M$, the constant first",
            _gap,
            _defects,
            {
                "the defect itself": (
                    lambda p, M: p,
                    "What does the operator make of a single power?",
                ),
                "multiplied instead of divided": (
                    lambda p, M: p * (M - np.arange(M)),
                    "In which direction does that factor go?",
                ),
                "an ordinary integral": (
                    lambda p, M: p / (np.arange(M) + 1),
                    "It is not the power alone that is differentiated: the order is subtracted.",
                ),
            },
            rtol=1e-8,
        ),
    ),
)

_AFAR = Checker(
    "nh.afar",
    minutes=15,
    questions=(
        number(
            "power",
            r"the power of $\rho$ with which the distance to the wrong limit grows",
            lambda: 2.0,
            {
                "as the theorem says": (
                    1.0,
                    "The theorem bounds the distance to the homogenization. Is that the one?",
                ),
                "bounded": (0.0, "The difference is itself homogeneous. Of which order?"),
                "a layer too many": (3.0, "Count the layers that are trained."),
            },
        ),
    ),
)


def _supremum() -> float:
    z = np.linspace(-20, 20, 400_001)
    value, slope = (z + np.sqrt(z**2 + 1)) / 2, (1 + z / np.sqrt(z**2 + 1)) / 2
    return float(np.max(np.abs(value - z * slope)))


_ACTIVATION = Checker(
    "nh.activation",
    minutes=25,
    questions=(
        number(
            "kappa",
            r"$\kappa$",
            _supremum,
            {
                "the largest slope": (1.0, "That is the supremum of the slope."),
                "the asymptote's coefficient": (0.25, "Simplify before you take the supremum."),
                "in the limit": (0.0, "So it is far out. And where is it largest?"),
            },
        ),
    ),
)


def _hyperbola(s: float) -> tuple[float, float]:
    v, w = np.exp(s) - np.exp(-s) / 2, np.exp(s) + np.exp(-s) / 2 - 1
    return float(v * (1 + w)), float(np.hypot(v, w))


def _margins(s: float) -> tuple[float, float]:
    f, rho = _hyperbola(s)
    return f / rho**2, (f - rho) / rho**2


_HYPERBOLA = Checker(
    "nh.hyperbola",
    minutes=20,
    questions=(
        number(
            "naive",
            "the naive margin at the start",
            lambda: _margins(0.0)[0],
            {
                "the output": (0.75, "The margin is normalized."),
                "over the norm": (0.75 / np.sqrt(0.5), "Over which power of the norm?"),
            },
        ),
        number(
            "modified",
            "the modified margin at the start",
            lambda: _margins(0.0)[1],
            {
                "the correction not normalized": (
                    1.5 - np.sqrt(0.5),
                    "The correction is divided as well.",
                ),
                "the correction added": (1.5 + np.sqrt(2), "The correction is taken off."),
            },
            rtol=5e-3,
        ),
        number(
            "limit",
            "what both tend to",
            lambda: _margins(15.0)[0],
            {
                "the layers' sum": (1.0, "The square of the norm has two terms."),
                "over the norm's first power": (
                    np.sqrt(0.5),
                    "Compare the fastest terms of the output and of the squared norm.",
                ),
            },
        ),
    ),
)


def _threshold_share() -> float:
    """Return the share c at which (f - cρ)/ρ² comes to 1/2 with no term of first order."""

    def first_order(c: float) -> float:
        f, rho = _hyperbola(12.0)
        return float(((f - c * rho) / rho**2 - 0.5) * np.exp(12.0))

    return float(scipy.optimize.brentq(first_order, 0.1, 2))


_SHARE = Checker(
    "nh.share",
    minutes=25,
    questions=(
        number(
            "share",
            "the $c$ that separates climbing in the end from falling in the end",
            _threshold_share,
            {
                "the theorem's": (1.0, "From there on it is proven. Where is it true?"),
                "half of it": (0.5, "Compare the two terms of first order once more."),
                "upside down": (np.sqrt(2), "Is that one more than the worst case asks for?"),
            },
            rtol=3e-3,
        ),
    ),
)


def _lead(a: float) -> tuple[float, float]:
    """Return the limits of b + a·uv and uv - ψ, by the balance of the samples' shares."""
    balance = scipy.optimize.brentq(lambda d: np.tanh(d) * a - 1, 1e-9, 50)
    return float(balance), float(np.log(np.exp(balance) + np.exp(-balance)))


_WINS = Checker(
    "nh.wins",
    minutes=45,
    questions=(
        function(
            "shift",
            r"a function of $a$ that returns the limit of $b+a\,uv$",
            lambda a: _lead(a)[0],
            lambda rng: [(float(a),) for a in rng.uniform(1.2, 4, 4)],
            {
                "forgot that it enters twice": (
                    lambda a: 2 * _lead(a)[0],
                    "By how much do the two margins differ?",
                ),
                "the sign": (
                    lambda a: -_lead(a)[0],
                    "Which of the two samples has the larger share in the loss?",
                ),
            },
            rtol=1e-5,
        ),
        function(
            "lead",
            r"a function of $a$ that returns the limit of $uv-\psi$",
            lambda a: _lead(a)[1],
            lambda rng: [(float(a),) for a in rng.uniform(1.2, 4, 4)],
            {
                "as for equal margins": (
                    lambda a: float(np.log(2)),
                    "The two margins are not equal in the limit.",
                ),
                "the sign": (lambda a: -_lead(a)[1], "Is the loss larger than that of one sample?"),
            },
            rtol=1e-5,
        ),
    ),
)


def _onset(c: float, gamma: float, M: int, k: int) -> float:
    rho = scipy.optimize.brentq(lambda r: gamma * r ** (M - k) - c, 1e-9, 1e9)
    return float(gamma * rho**M)


_THRESHOLD = Checker(
    "nh.threshold",
    minutes=25,
    questions=(
        function(
            "psi",
            r"a function of $(c,\gamma,M,k)$ that returns the estimate of $\psi$",
            _onset,
            lambda rng: [
                (float(c), float(gamma), M, k)
                for c, gamma, (M, k) in zip(
                    rng.uniform(2, 5, 3),
                    rng.uniform(0.2, 0.8, 3),
                    ((2, 1), (3, 2), (4, 2)),
                    strict=True,
                )
            ],
            {
                "the norm instead": (
                    lambda c, gamma, M, k: (c / gamma) ** (1 / (M - k)),
                    "That is the norm from which on it holds.",
                ),
                "the margin forgotten on the way back": (
                    lambda c, gamma, M, k: (c / gamma) ** (M / (M - k)),
                    "Go back from the norm to the loss with the margin.",
                ),
                "the correction's power": (
                    lambda c, gamma, M, k: gamma * (c / gamma) ** (k / (M - k)),
                    "Which of the two powers stands on the side of the loss?",
                ),
            },
            rtol=1e-5,
        ),
    ),
)


def _log_time(psi: float, M: int, gamma: float, *, back: float = 1.0) -> float:
    constant = np.log(loss_rate_constant(gamma, M))
    return float(psi - back * (2 - 2 / M) * np.log(psi) + constant)


_CLOCK = Checker(
    "nh.clock",
    minutes=20,
    questions=(
        function(
            "log_time",
            r"a function of $(\psi,M,\gamma)$ that returns $\log t$",
            _log_time,
            lambda rng: [
                (float(psi), M, float(gamma))
                for psi, M, gamma in zip(
                    rng.uniform(100, 900, 3), (2, 3, 4), rng.uniform(0.05, 0.5, 3), strict=True
                )
            ],
            {
                "without the power of the logarithm": (
                    lambda psi, M, gamma: _log_time(psi, M, gamma, back=0.0),
                    "There is a power of the logarithm of the loss besides.",
                ),
                "the power on the other side": (
                    lambda psi, M, gamma: _log_time(psi, M, gamma, back=-1.0),
                    "Does the growing norm make it faster or slower?",
                ),
                "in decimal digits": (
                    lambda psi, M, gamma: _log_time(psi, M, gamma) / np.log(10),
                    "To the base e, please.",
                ),
            },
            rtol=1e-4,
        ),
    ),
)


@dataclass(frozen=True)
class _Line:
    """The bounds of a linear predictor whose samples are no longer than a number."""

    gradient: Polynomial
    gap: Polynomial
    order: int = 1


def _longest_step(psi: float, R: float) -> float:
    line = _Line(Polynomial([R]), Polynomial([0.0]))
    return float(
        descent_guarantee(line, hessian=Polynomial([0.0]), log_loss=-psi, norm=5.0).log_step_size
    )


_LINEAR_STEP = Checker(
    "nh.linear-step",
    minutes=20,
    questions=(
        function(
            "log_step",
            r"a function of $(\psi_0,R)$ that returns the logarithm of the longest step $\eta$",
            _longest_step,
            lambda rng: [
                (float(psi), float(R))
                for psi, R in zip(rng.uniform(7, 60, 3), rng.uniform(0.3, 4, 3), strict=True)
            ],
            {
                "the length instead of its square": (
                    lambda psi, R: float(psi - np.log(R)),
                    "How does the curvature of the loss depend on the length of the samples?",
                ),
                "the loss on the wrong side": (
                    lambda psi, R: float(-psi - 2 * np.log(R)),
                    "Does a small loss allow longer steps, or shorter ones?",
                ),
                "the samples forgotten": (
                    lambda psi, R: psi,
                    "Do longer samples not make a difference?",
                ),
            },
            rtol=1e-6,
        ),
    ),
)

_RESTART = Checker(
    "nh.restart",
    minutes=30,
    questions=(
        number(
            "gain",
            r"by how much a step raises $\psi$ in the long run",
            lambda: 4 / 5 * float(np.sum(np.array([1.0, 0.0]) ** 2)) / 10,
            {
                "the gradient's length forgotten": (
                    0.8,
                    "How long is the mean of the two samples?",
                ),
                "the length, not its square": (
                    0.8 / np.sqrt(10),
                    "Which power of the length of the gradient enters?",
                ),
                "the curvature forgotten": (0.1, "How long is the step that is allowed?"),
            },
            rtol=0.02,
        ),
        option(
            "lost",
            "what is lost",
            "the budget for all steps together",
            {
                "that the loss falls": "That is promised for each step, whoever takes it.",
                "that a single step is safe": "The lemmas hold for each single step.",
            },
        ),
    ),
)

_RELU_STEP = Checker(
    "nh.relu-step",
    minutes=20,
    questions=(
        option(
            "error",
            "where the error is",
            "between the ends of a step",
            {
                "in the order": "The network is homogeneous, and its order is what is said.",
                "in the probability of a kink": "At a point the probability is what is said. The "
                "proof looks at more than a point.",
                "in the second derivative where there is one": "There it is that of a product of "
                "two layers.",
            },
        ),
        option(
            "jump",
            "by how much the gradient can jump over no length at all",
            "by an output weight",
            {
                "not at all": "What does a neuron add to the gradient on one side of its kink?",
                "by an input weight": "That of which layer is multiplied by the slope of the ReLU?",
                "by the step": "The jump is there however short the step is.",
            },
        ),
    ),
)

CHECKERS = (
    _BLOCKS,
    _SHARP,
    _AFAR,
    _ACTIVATION,
    _HYPERBOLA,
    _SHARE,
    _WINS,
    _THRESHOLD,
    _CLOCK,
    _LINEAR_STEP,
    _RESTART,
    _RELU_STEP,
)
