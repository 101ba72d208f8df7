"""Norms of blocks, their margins' ratio, and a limit on a kink."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from ibtools.theory import block_margin_ratio, block_norms, kink_limit


def test_norms_of_blocks_along_a_flow_of_two_numbers() -> None:
    # Φ = a b² on one sample: degrees 1 and 2, a conserved 2a² − b².
    def slope(_: float, point: np.ndarray) -> list[float]:
        a, b = point
        weight = np.exp(-a * b**2)
        return [weight * b**2, weight * 2 * a * b]

    path = solve_ivp(slope, (0, 50), [0.3, 1.1], rtol=1e-11, atol=1e-13).y
    predicted = block_norms(np.linalg.norm(path, axis=0), initial=path[:, 0], exponents=[1, 2])
    np.testing.assert_allclose(predicted, path.T, rtol=1e-9)
    assert path[0, -1] > 2 * path[0, 0]


@pytest.mark.parametrize("degrees", [(1, 1, 1), (2, 1), (0.5, 3)])
def test_the_ratio_is_the_least(degrees: tuple[float, ...]) -> None:
    k = np.array(degrees)

    def log_ratio(logs: np.ndarray) -> float:
        return float(k.sum() / 2 * np.log(np.exp(2 * logs).sum()) - k @ logs)

    found = minimize(log_ratio, np.linspace(0, 1, k.size), tol=1e-12)
    assert block_margin_ratio(degrees) == pytest.approx(np.exp(found.fun), rel=1e-8, abs=0)


@pytest.mark.parametrize("angle", [0.3, 1.0, 1.5])
def test_the_limit_on_a_kink_is_a_kkt_point(angle: float) -> None:
    limit = kink_limit(angle)
    # The first neuron of the limit, scaled to margin 1: along x₁ − σx₂, and orthogonal to x₂.
    x1, x2 = np.array([np.sin(angle), np.cos(angle)]), np.array([0.0, 1.0])
    w = x1 - limit.slope * x2
    assert abs(w @ x2) < 1e-15
    a = np.linalg.norm(w)
    size = np.sqrt(1 / (a * (w @ x1)))
    a, w = a * size, w * size
    # θ = Σλ∇q: both equations of the neuron with one multiplier.
    multiplier = a / (w @ x1)
    np.testing.assert_allclose(w, multiplier * a * (x1 - limit.slope * x2), rtol=1e-12)
    assert 1 / (2 * (a**2 + w @ w)) == pytest.approx(limit.margin, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: block_norms([1.0], initial=[3.0, 4.0], exponents=[1, 1]), "norm must be at least"),
        (lambda: block_norms([9.0], initial=[3.0, 4.0], exponents=[1]), "exponents must have 2"),
        (lambda: block_norms([9.0], initial=[3.0], exponents=[0]), "exponents must be above 0"),
        (lambda: block_margin_ratio([1, -1]), "exponents must be above 0"),
        (lambda: kink_limit(2.0), "angle must be below"),
        (lambda: kink_limit(0.0), "angle"),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
