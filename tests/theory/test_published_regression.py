"""Numbers that other people's programs and papers have printed."""

import numpy as np
import pytest

from ibtools.models import DiagonalNet
from ibtools.theory import implicit_limit, minimum_l1_interpolator, minimum_norm_interpolator
from ibtools.trainers import gradient_flow


def test_the_run_in_the_paper_s_notebook() -> None:
    # Azulay et al.: their own descent to a loss of 1e-10, on data of NumPy's legacy generator.
    random = np.random.RandomState(1993)
    X = random.multivariate_normal(np.zeros(100), np.eye(100), 10)
    random.multivariate_normal(np.zeros(100), np.eye(100), 2000)  # the test set is drawn before
    truth = np.zeros(100)
    truth[random.choice(100, 5, replace=False)] = 1 / np.sqrt(5)
    y = X @ truth + 0.1 * random.randn(10)
    w = implicit_limit(DiagonalNet.from_scale_shape(scale=1e-4, shape=0.5, d=100), X, y)
    printed = [
        *(-0.05772427, 0.0011148, -0.00023367, 0.00445458, -0.0003256),
        *(0.00021057, -0.00548506, -0.00181605, -0.05581603, -0.00136804),
    ]
    np.testing.assert_allclose(w[:10], printed, rtol=0, atol=5e-6)
    # Their solver's minimizer of the same potential; it stopped early.
    np.testing.assert_allclose(w[:2], [-0.05757536, 0.00111363], rtol=0, atol=1.6e-4)


# "Gradient Flow Dynamics and Implicit Bias of Diagonal Linear Networks under Infinitesimal
# Initialization", ICML 2026, arXiv 2607.12332, appendix: computed by hand.
FOUR = np.array([[1.0, 0.5, 0.7, 0.0], [0.5, 1.0, 0.1, 0.7]])
END = np.array([0.0, 0.0, 10 / 7, -10 / 49])


# At 1e-200 the limit is off by 3e-16 (a power of the scale, of exponent 4/49), which is beyond what
# is left of double precision where log(1/scale) is 460.
@pytest.mark.parametrize(
    ("scale", "off", "rounding"), [(1e-60, 6.8e-5, 0), (1e-120, 8.6e-10, 0), (1e-200, 3e-16, 1e-13)]
)
def test_the_end_of_incremental_learning(scale: float, off: float, rounding: float) -> None:
    limit = implicit_limit(
        DiagonalNet.from_scale_shape(scale=scale, shape=0.0, d=4), FOUR, [1.0, 0.0]
    )
    assert np.abs(limit - END).max() == pytest.approx(off, rel=0.02, abs=rounding)
    np.testing.assert_allclose(minimum_l1_interpolator(FOUR, [1.0, 0.0]), END, rtol=0, atol=1e-14)


@pytest.mark.usefixtures("as_a_user")
def test_plateaus_and_jumps_of_incremental_learning() -> None:
    def path(scale: float, times: np.ndarray) -> np.ndarray:
        net = DiagonalNet.from_scale_shape(scale=scale, shape=0.0, d=4)
        unit = 0.5 * np.log(1 / scale)
        return gradient_flow(net, FOUR, [1.0, 0.0], times=times * unit).w

    np.testing.assert_allclose(path(1e-60, np.array([2.5])), [[0.8, 0, 0, 0]], rtol=0, atol=1e-9)
    np.testing.assert_allclose(path(1e-200, np.array([4.8])), [[0, 0, 1.4, 0]], rtol=0, atol=1e-8)

    def jumps(scale: float) -> list[float]:
        found = []
        for i, level, about in ((0, 0.4, 1.0), (2, 0.7, 4.0), (3, -5 / 49, 5.5)):
            times = np.linspace(about - 0.2, about + 0.2, 1001)
            beyond = np.sign(level) * (path(scale, times)[:, i] - level)
            found.append(float(np.interp(0.0, beyond, times)))
        return found

    once, twice = np.array(jumps(1e-60)), np.array(jumps(1e-120))
    np.testing.assert_allclose(once, [0.998385, 4.051463, 5.365315], rtol=0, atol=1e-6)
    np.testing.assert_allclose(twice, [0.999192, 4.025731, 5.498990], rtol=0, atol=2e-6)
    # What differs from the limit is a multiple of 1/log(1/α).
    np.testing.assert_allclose(2 * twice - once, [1, 4, 276 / 49], rtol=0, atol=1.5e-5)


@pytest.mark.parametrize(
    ("X", "y", "printed", "digits"),
    [
        # MATLAB's documentation of lsqminnorm.
        ([[2, 3]], [8], [1.2308, 1.8462], 5e-5),
        # NAG's example of f08ahc, two right-hand sides.
        *(
            (
                [
                    [-5.42, 3.28, -3.68, 0.27, 2.06, 0.46],
                    [-1.65, -3.40, -3.20, -1.03, -4.06, -0.01],
                    [-0.37, 2.35, 1.90, 4.31, -1.76, 1.13],
                    [-3.15, -0.11, 1.99, -2.70, 0.26, 4.50],
                ],
                y,
                printed,
                5e-5,
            )
            for y, printed in (
                (
                    [-2.87, 1.63, -3.52, 0.45],
                    [0.2371, -0.4575, -0.0085, -0.5192, 0.0239, -0.0543],
                ),
                (
                    [-5.23, 0.29, 4.76, -8.41],
                    [0.7383, 0.0158, -0.0161, 1.0768, -0.6436, -0.6613],
                ),
            )
        ),
        # A thread of Intel's forum on MKL; the data are printed to four decimals themselves.
        (
            [
                [0.9572, 0.1419, 0.7922, 0.0357, 0.6555],
                [0.4854, 0.4218, 0.9595, 0.8491, 0.1712],
                [0.8003, 0.9157, 0.6557, 0.9340, 0.7060],
            ],
            [0.0318, 0.2769, 0.0462],
            [-0.0540, -0.0954, 0.2668, 0.1395, -0.1821],
            2e-4,
        ),
    ],
)
def test_least_norm_solutions(X: list, y: list, printed: list, digits: float) -> None:
    np.testing.assert_allclose(minimum_norm_interpolator(X, y), printed, rtol=0, atol=digits)
