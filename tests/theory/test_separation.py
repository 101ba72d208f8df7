"""Constants of the flow on separable data: reference digits, and the flow itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ibtools.theory.separation import separation_constants

TOY = np.array([[3.0, -1.0], [1.0, 2.0], [4.0, 4.0]])


def flow(Z: np.ndarray, start: np.ndarray, log_time: float) -> np.ndarray:
    """Integrate dw/dt = Σ zⱼ exp(−zⱼ·w) in the clock τ, t = exp(τ) − 1."""
    answer = solve_ivp(
        lambda tau, w: np.exp(tau - Z @ w) @ Z,
        (0, log_time),
        start,
        method="LSODA",
        jac=lambda tau, w: -(Z * np.exp(tau - Z @ w)[:, None]).T @ Z,
        rtol=1e-11,
        atol=1e-11,
    )
    assert answer.success
    return answer.y[:, -1]


def test_three_points() -> None:
    found = separation_constants(TOY, np.ones(3))
    np.testing.assert_allclose(found.offset, [0.95794966, 0.36832303], atol=5e-9)
    assert found.margin_gap == pytest.approx(0.249517, abs=5e-7)
    assert found.smoothed_gap == pytest.approx(0.617242, abs=5e-7)
    assert found.loss_rate == pytest.approx(13 / 49, rel=1e-14, abs=0)
    np.testing.assert_allclose(found.multipliers, np.array([4, 9, 0]) / 49, rtol=1e-13)
    np.testing.assert_allclose(np.exp(-TOY[:2] @ found.offset), np.array([4, 9]) / 49, rtol=1e-13)
    assert found.reason == ""


CASES = {
    "toy": (TOY, [0.5, -1.0]),
    "duplicate": (TOY[[0, 1, 1, 2]], [0.0, 0.0]),
    "three on a line": (np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.3]]), [0.0, 2.0]),
    "square of four": (
        np.array([[1.0, 1, 0], [1, -1, 0], [1, 0, 1], [1, 0, -1]]),
        [0.0, 0.3, -0.4],
    ),
    "off the span": (np.column_stack([TOY, np.zeros(3)]), [0.5, -1.0, 2.0]),
    "small units": (1e-3 * TOY, [0.0, 0.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_flow_arrives(name: str) -> None:
    Z, start = CASES[name][0], np.array(CASES[name][1])
    found = separation_constants(Z, np.ones(len(Z)), start=start)
    # With the margin as unit of length, t is in units of 1/γ².
    late = 60.0
    w = flow(Z, start, late) if name != "small units" else flow(TOY, start, late) * 1e3
    log_time = late if name != "small units" else late - 2 * np.log(1e-3)
    np.testing.assert_allclose(
        w - found.w * log_time, found.offset, atol=1e-8 * np.abs(found.offset).max()
    )
    q = Z @ w
    np.testing.assert_allclose(np.exp(log_time - q), found.multipliers, atol=1e-7 * found.loss_rate)
    assert np.exp(log_time - q).sum() == pytest.approx(found.loss_rate, rel=1e-7, abs=0)


@pytest.mark.parametrize("name", ["toy", "duplicate", "three on a line", "square of four"])
def test_the_gaps_close_like_one_over_log_t(name: str) -> None:
    Z, start = CASES[name][0], np.array(CASES[name][1])
    found = separation_constants(Z, np.ones(len(Z)), start=start)
    # w(t) = ŵ log t + w̃ up to what is below rounding at these times.
    for late in (1e3, 1e5):
        w = found.w * late + found.offset
        q, size = Z @ w, np.linalg.norm(w)
        gap = (1 - q.min() / size / found.margin) * late
        smoothed = q.min() - np.log(np.exp(-(q - q.min())).sum())
        other = (1 - smoothed / size / found.margin) * late
        assert gap == pytest.approx(found.margin_gap, abs=5 / late)
        assert other == pytest.approx(found.smoothed_gap, abs=5 / late)


def test_a_sample_off_the_span_moves_the_rest_of_the_offset() -> None:
    Z = np.array([[1.0, 1.0, 0.5], [1.0, -1.0, 0.5], [2.0, 0.7, 3.0]])
    found = separation_constants(Z, np.ones(3))
    assert np.isnan(found.offset).all()
    assert "outside the span" in found.reason
    off = flow(Z, np.zeros(3), 50.0) - 50 * found.w - found.span_offset
    np.testing.assert_allclose(Z[:2] @ off, 0, atol=1e-8)
    assert np.linalg.norm(off) > 0.1
    # Other starts within the span move it too: it depends on the path, not on the start's part.
    moved = flow(Z, np.array([1.0, 0.5, 0.5]), 50.0) - 50 * found.w - found.span_offset
    assert np.linalg.norm(moved - off) > 0.05


def test_a_multiplier_of_zero_leaves_no_offset() -> None:
    Z = np.array([[1.0, 0.0], [1.0, 1.0]])
    found = separation_constants(Z, [1, 1])
    assert np.isnan([*found.offset, *found.span_offset, found.margin_gap, found.smoothed_gap]).all()
    assert "multiplier 0" in found.reason
    np.testing.assert_allclose(found.multipliers, [1, 0], atol=1e-12)
    assert found.loss_rate == pytest.approx(1, rel=1e-12, abs=0)
    # The flow drifts like log log t: by log 2 when log t doubles.
    drift = flow(Z, np.zeros(2), 400.0)[1] - flow(Z, np.zeros(2), 200.0)[1]
    assert drift == pytest.approx(np.log(2), rel=0.02, abs=0)


def test_a_multiplier_of_zero_among_dependent_support_vectors() -> None:
    # The first alone makes ŵ; the others balance nothing.
    found = separation_constants([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1, 1, 1])
    assert "multiplier 0" in found.reason


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_offset_has_its_defining_property(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 7))
    X = rng.normal(size=(int(rng.integers(1, 15)), d))
    y = np.where(X @ rng.normal(size=d) >= 0, 1.0, -1.0)
    found = separation_constants(X, y)
    assert np.isfinite(found.span_offset).all()  # samples in special position have probability 0
    Z = (y[:, None] * X)[found.support]
    alpha = np.exp(-Z @ found.span_offset)
    np.testing.assert_allclose(alpha @ Z, found.w, atol=1e-9 * np.abs(found.w).max())
    np.testing.assert_allclose(alpha, found.multipliers[found.support], rtol=1e-8)
    # In the span of the support: no least-squares residual against its rows.
    left = np.linalg.lstsq(Z.T, found.span_offset, rcond=None)[0] @ Z - found.span_offset
    assert np.abs(left).max() <= 1e-8 * np.abs(found.span_offset).max()
    assert found.margin_gap >= -1e-12
    assert found.smoothed_gap <= np.log(len(Z)) + 1e-12


def test_the_multipliers_are_the_ones_of_largest_entropy() -> None:
    Z = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.3]])
    alpha = separation_constants(Z, np.ones(3)).multipliers
    # All multipliers of ŵ = (1, 0): alpha + s·k, k the relation between the three.
    relation = np.linalg.svd(Z.T)[2][-1]

    def entropy(s: float) -> float:
        a = alpha + s * relation
        return float(np.sum(a * (1 - np.log(a))))

    assert entropy(0) > max(entropy(1e-3), entropy(-1e-3), entropy(0.1), entropy(-0.1))


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("X", "y", "start", "words"),
    [
        ([[1.0], [-1.0]], [1, 1], None, "append a constant column"),
        ([[1.0]], [3], None, "labels 1 and -1"),
        ([[1.0]], [1], [1.0, 2.0], "start must have 1 entries"),
        ([[1.0]], [1], [np.nan], "start must be finite"),
    ],
)
def test_bad_input(X: list, y: list, start: list | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        separation_constants(X, y, start=start)


def test_a_multiplier_of_zero_leaves_the_rate_of_the_loss() -> None:
    # Margin 2: the loss falls like 1/(γ²t) all the same.
    found = separation_constants([[2.0, 0.0], [2.0, 2.0]], [1, 1])
    assert "multiplier 0" in found.reason
    assert found.loss_rate == pytest.approx(1 / 4, rel=1e-12, abs=0)


def test_a_long_sample_in_the_span_is_in_the_span() -> None:
    # Rounding leaves it 1e-10 beside a line that it is a million times as long on.
    u = np.array([0.6, 0.8, 0.1]) / np.sqrt(1.01)
    found = separation_constants([u, 1e6 * u * (1 + 1e-15)], [1, 1], start=[0.3, 0.0, 0.0])
    assert found.reason == ""
    np.testing.assert_allclose(found.offset, 0.3 * (np.eye(3)[0] - u[0] * u), atol=1e-9)


def test_the_span_of_dependent_support_vectors_is_no_larger_than_it_is() -> None:
    # Four vectors of a plane, turned into space: rank 2, where rounding leaves a third singular
    # value of 1e-11 beside one of 1e6.
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    Z = np.array([[1.0, far, 0.0] for far in (1e6, -1e6, 0.5e6, -0.5e6)]) @ turn
    found = separation_constants(Z, np.ones(4), start=0.5 * turn[2])
    assert found.reason == ""
    # By hand: margin 1, and equal multipliers by symmetry; e^{−z·w̃} = ¼ in their plane.
    np.testing.assert_allclose(found.multipliers, np.full(4, 1 / 4), rtol=1e-6)
    np.testing.assert_allclose(found.offset @ turn.T, [np.log(4), 0.0, 0.5], atol=1e-8)
