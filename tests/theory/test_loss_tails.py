"""What the theorems on margins need of each loss, against the definitions by other means."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from ibtools.metrics import inverse_loss
from ibtools.theory import (
    complementarity_bound,
    growth_cap,
    kkt_log_loss,
    kkt_visit_bound,
    log_time_bracket,
    margin_bracket,
    norm_bound,
    tail_growth,
    tail_inverse,
)
from ibtools.theory.loss_tails import TAILS

# f of each loss, ℓ = e^−f, written once more with mpmath.
F = {
    "exponential": lambda q: q,
    "logistic": lambda q: -mpmath.log(mpmath.log1p(mpmath.exp(-q))),
    "cross_entropy": lambda q: -mpmath.log(mpmath.log1p(mpmath.exp(-q))),
    "cubic": lambda q: q**3,
}


@pytest.mark.parametrize("loss", TAILS)
@pytest.mark.parametrize("u", [0.4, 1.0, 8.0, 36.0, 39.9, 40.1, 300.0, 2000.0])
def test_the_inverse_and_the_growth(loss: str, u: float) -> None:
    with mpmath.workdps(1000):  # 1 + e^-q must not be 1
        q = mpmath.findroot(
            lambda q: F[loss](q) - mpmath.mpf(u), float(np.cbrt(u)) if loss == "cubic" else u
        )
        slope = mpmath.diff(F[loss], q)
        predicted, growth = float(q), float(slope * q)
    np.testing.assert_allclose(tail_inverse([u], loss), [predicted], rtol=1e-13)
    np.testing.assert_allclose(tail_growth([u], loss), [growth], rtol=1e-13)


@pytest.mark.parametrize("loss", TAILS[:3])
def test_the_inverse_is_the_one_that_margins_are_measured_with(loss: str) -> None:
    u = np.array([0.4, 2.0, 30.0, 1e4])
    np.testing.assert_allclose(tail_inverse(u, loss), inverse_loss(-u, loss), rtol=1e-13)


@pytest.mark.parametrize(
    ("loss", "classes", "pull"),
    [
        ("exponential", 2, lambda q: q * np.exp(-q)),
        ("cubic", 2, lambda q: 3 * q**3 * np.exp(-(q**3))),
        ("logistic", 2, lambda q: q / (1 + np.exp(q))),
        ("cross_entropy", 2, lambda q: q / (1 + np.exp(q))),
        ("cross_entropy", 10, lambda q: 9 * q / (9 + np.exp(q))),
    ],
)
def test_the_cap_is_a_maximum(loss: str, classes: int, pull: object) -> None:
    found = minimize_scalar(
        lambda q: -pull(q), bounds=(0.1, 6.0), method="bounded", options={"xatol": 1e-10}
    )
    assert growth_cap(loss, classes=classes) == pytest.approx(-found.fun, rel=1e-12, abs=0)


def test_no_unequal_scores_beat_the_cap() -> None:
    draws = np.random.default_rng(0).normal(1.5, 1.5, size=(200_000, 3))
    weights = np.exp(-draws)
    pull = (weights * draws).sum(axis=1) / (1 + weights.sum(axis=1))
    cap = growth_cap("cross_entropy", classes=4)
    assert 0.98 * cap < pull.max() <= cap


def test_the_norm_bound_by_hand() -> None:
    bound = norm_bound([2.0], order=3, n=5, initial_norm=3.0, loss="cubic")
    np.testing.assert_allclose(bound, [np.sqrt(9 + 2 * 3 * 5 * 3 / np.e * 2)], rtol=1e-14)
    two = norm_bound([2.0], order=3, n=5, initial_norm=3.0, loss="cross_entropy")
    cap = growth_cap("cross_entropy", classes=2)
    np.testing.assert_allclose(two, [np.sqrt(9 + 2 * 3 * 5 * cap * 2)], rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "classes", "one"),
    [
        ("exponential", 7, lambda q, _: np.exp(-q)),
        ("cubic", 7, lambda q, _: np.exp(-(q**3))),
        ("logistic", 7, lambda q, _: np.log1p(np.exp(-q))),
        ("cross_entropy", 2, lambda q, others: np.log1p(others * np.exp(-q))),
        ("cross_entropy", 7, lambda q, others: np.log1p(others * np.exp(-q))),
    ],
)
def test_both_ends_of_the_margin_bracket_are_reached(
    loss: str, classes: int, one: Callable[[float, int], float]
) -> None:
    q, samples = 2.2, 4
    # One sample that bears all of the loss, its other classes but one far below; and equal ones.
    alone, equal = np.log(one(q, 1)), np.log(samples * one(q, classes - 1))
    low = margin_bracket([alone], n=samples, loss=loss, classes=classes)[0]
    high = margin_bracket([equal], n=samples, loss=loss, classes=classes)[1]
    np.testing.assert_allclose([*low, *high], [q, q], rtol=1e-13)


@pytest.mark.parametrize("loss", TAILS[:3])
@pytest.mark.parametrize("order", [1, 2, 3.5])
def test_the_time_bracket_is_the_integral(loss: str, order: float) -> None:
    start, margin, bound = 1.3, 0.4, 2.5
    ends = np.array([1.31, 4.0, 30.0, 120.0])
    early, late = log_time_bracket(
        -ends, order=order, initial_log_loss=-start, initial_smoothed_margin=margin,
        gradient_bound=bound, loss=loss,
    )  # fmt: skip
    power = 2 - 2 / order

    def slow(v: float) -> float:
        g, h = tail_inverse([v], loss)[0], tail_growth([v], loss)[0]
        return g ** (2 / order) / h**2

    def fast(v: float) -> float:
        return tail_inverse([v], loss)[0] ** -power

    for u, lower, upper in zip(ends, early, late, strict=True):
        integrals = []
        for weight in (slow, fast):
            value, _ = quad(
                lambda x, weight=weight, u=u: np.exp(-x) * weight(u - x), 0, min(u - start, 60.0),
                epsabs=0, epsrel=1e-11, limit=200,
            )  # fmt: skip
            integrals.append(u + np.log(value))
        c_slow = order**2 * margin ** (2 / order)
        c_fast = bound**2 * margin**-power
        assert upper == pytest.approx(integrals[0] - np.log(c_slow), rel=1e-10, abs=1e-9)
        assert lower == pytest.approx(integrals[1] - np.log(c_fast), rel=1e-10, abs=1e-9)


def test_shorter_steps_bring_the_bracket_to_that_of_the_flow() -> None:
    problem = {
        "order": 2,
        "initial_log_loss": -2.5,
        "initial_smoothed_margin": 0.4,
        "gradient_bound": 1.5,
    }
    flow = np.array(log_time_bracket([-6.0], **problem))
    gaps = []
    for share in (1.0, 0.1, 0.01):
        steps = np.array(log_time_bracket([-6.0], share=share, **problem))
        assert steps[0] < flow[0] < flow[1] < steps[1]
        gaps.append(np.abs(steps - flow).ravel())
    # To first order: s√e + a·s(1 + 1/2u₀) below, s/2 + (2/L)·s(1 + 1/2u₀) above.
    np.testing.assert_allclose(gaps[2] / 0.01, [np.sqrt(np.e) + 1.2, 0.5 + 1.2], rtol=0.01)
    assert np.all(gaps[0] > 5 * gaps[1])


def test_what_must_be_visited_and_when_are_inverses() -> None:
    first, last, order = 0.3, 0.9, 3
    u = -kkt_log_loss(0.7, order=order, log_loss=-4.0, first=first, last=last)
    # At u₂ the norm has grown by R for certain: ρ^L ≥ u₂/γ*.
    growth = np.log(u / last / (4.0 / first)) / order
    assert kkt_visit_bound([growth], order=order, first=first, last=last)[0] == pytest.approx(
        0.7, rel=1e-12, abs=0
    )


def test_complementarity_by_hand() -> None:
    margin, least, log_loss, order = 0.5, 1.2, -3.0, 3
    exact = 4 / (np.e * order * margin ** (2 / order) * 3.0)
    bound = complementarity_bound([log_loss], [margin], [least], order=order, pairs=5)
    np.testing.assert_allclose(bound, [exact], rtol=1e-14)
    # The logistic loss: κ(q) in place of 1, and h(u) in place of u.
    kappa = np.exp(-least) / np.log1p(np.exp(-least))
    (growth,) = tail_growth([-log_loss], "logistic")
    bound = complementarity_bound(
        [log_loss], [margin], [least], order=order, pairs=5, loss="logistic"
    )
    np.testing.assert_allclose(bound, [exact * kappa * 3.0 / growth], rtol=1e-14)
    # Where e^-q is no float, κ is 1.
    bound = complementarity_bound(
        [-900.0], [margin], [900.0], order=order, pairs=5, loss="logistic"
    )
    np.testing.assert_allclose(bound, [exact * 3.0 / 900], rtol=1e-14)


def test_the_time_bracket_begins_where_the_loss_proves_the_labels() -> None:
    _bracket(initial_log_loss=-0.01)
    for loss in TAILS[1:3]:
        _bracket(loss=loss, initial_log_loss=-0.367)
        with pytest.raises(ValueError, match=r"must be below -0\.366513, got -0\.366"):
            _bracket(loss=loss, initial_log_loss=-0.366)


def test_a_residual_that_every_point_has_needs_no_wait() -> None:
    # ‖(1, cos)‖: at ε²γ̃₁^(2/L) = 3 the cosine that is asked for is −1/2.
    assert kkt_log_loss(np.sqrt(3), order=1, log_loss=-2.0, first=1.0, last=3.0) == -6.0
    assert kkt_log_loss(9.0, order=1, log_loss=-2.0, first=0.5, last=1.0) == -4.0


@pytest.mark.parametrize("loss", TAILS[:3])
def test_complementarity_holds_and_bites(loss: str) -> None:
    # A linear model along one direction: every margin is a number of our choice, and ‖∇𝓛‖ρ = Lν.
    source = np.random.default_rng(1)
    used = []
    for _ in range(300):
        n = int(source.integers(2, 6))
        q = source.uniform(1, 6) + np.concatenate([[0.0], source.exponential(1.0, n - 1)])
        losses = np.exp(-q) if loss == "exponential" else np.log1p(np.exp(-q))
        pull = np.exp(-q) if loss == "exponential" else 1 / (1 + np.exp(q))
        if losses.sum() >= (1 if loss == "exponential" else np.log(2)):
            continue
        delta = q.min() ** -2 * (pull * (q - q.min())).sum() / (pull * q).sum() * q.min() ** 2
        delta /= q.min() ** 2  # γ̄ = q_min at ρ = 1
        (bound,) = complementarity_bound(
            [np.log(losses.sum())], [q.min()], [q.min()], order=1, pairs=n, loss=loss
        )
        used.append(delta / bound)
    assert len(used) > 200
    assert 0.5 < max(used) <= 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tail_inverse([np.nan]), "u must not be NaN, got 1"),
        (lambda: tail_growth([1.0], "hinge"), "loss must be one of"),
        (lambda: growth_cap("cross_entropy", classes=1), "classes"),
        (
            lambda: norm_bound([-1.0], order=1, n=1, initial_norm=1.0),
            "time must be at least 0",
        ),
        (lambda: margin_bracket([-1.0], n=0), "n must be at least 1"),
        (
            lambda: margin_bracket([-1.0], n=1, loss="cross_entropy", classes=1),
            "classes",
        ),
        (
            lambda: complementarity_bound([-2.0], [1.0], [1.0], order=1, pairs=2, loss="cubic"),
            "loss must be one of",
        ),
        (lambda: _bracket(log_loss=[-1.0]), "log_loss must be below initial_log_loss"),
        (lambda: _bracket(initial_log_loss=0.1), "initial_log_loss must be below"),
        (lambda: _bracket(order=0.5), "order must be at least 1"),
        (lambda: _bracket(share=0.5), "share must be 0"),
        (lambda: _bracket(share=1.5), "share must be 0"),
        (lambda: _bracket(loss="cubic"), "loss must be one of"),
        (
            lambda: kkt_visit_bound([0.0], order=1, first=1.0, last=2.0),
            "log_growth must be above 0",
        ),
        (lambda: kkt_visit_bound([1.0], order=1, first=2.0, last=1.0), "last must be at least"),
        (lambda: kkt_log_loss(1e-3, order=1, log_loss=-2.0, first=0.5, last=1.0), "beyond all"),
        (lambda: kkt_log_loss(0.5, order=1, log_loss=-2.0, first=2.0, last=1.0), "last must be"),
        (
            lambda: complementarity_bound([-2.0], [0.0], [1.0], order=1, pairs=2),
            "normalized_margin",
        ),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def _bracket(**change: object) -> object:
    good = {
        "log_loss": [-3.0], "order": 1, "initial_log_loss": -1.5, "initial_smoothed_margin": 1.0,
        "gradient_bound": 1.0,
    }  # fmt: skip
    good |= change
    return log_time_bracket(good.pop("log_loss"), **good)


def test_two_classes_are_the_logistic_loss_and_what_is_meant_by_default() -> None:
    assert growth_cap() == pytest.approx(1 / np.e, rel=1e-14, abs=0)
    assert (
        growth_cap("cross_entropy") == growth_cap("logistic") == growth_cap("logistic", classes=9)
    )
