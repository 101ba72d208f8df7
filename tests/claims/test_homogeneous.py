"""The claims on homogeneous networks fail when either of their sides is broken."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from once import call_once

from ibtools.claims import homogeneous
from ibtools.claims.claim import Claim

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_a_user")]

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def runs_are_made_once(monkeypatch: Patch) -> None:
    """No test here changes what a trainer or a theorem does inside."""
    call_once(monkeypatch, homogeneous)


def fails(theorem: Claim) -> bool:
    return not theorem.run().holds


def wrap(patch: Patch, name: str, change: Callable[[Any], Any]) -> None:
    """Change what the function `name` returns, wherever the claims call it."""
    right = getattr(homogeneous, name)
    patch.setattr(homogeneous, name, lambda *args, **options: change(right(*args, **options)))


def scaled(field: str, factor: float) -> Callable[[Any], Any]:
    def change(found: Any) -> Any:
        value = getattr(found, field) * factor
        if isinstance(found, tuple):
            return found._replace(**{field: value})
        return dataclasses.replace(found, **{field: value})

    return change


def test_the_ids_name_the_chapter() -> None:
    ids = [theorem.id for theorem in homogeneous.CLAIMS]
    assert len(set(ids)) == len(ids)
    assert {name.split(".")[0] for name in ids} == {"homogeneous"}


@pytest.mark.parametrize(
    ("theorem", "predicted", "digits"),
    [
        (homogeneous.linear_limit, 0.207440406931, 12),
        (homogeneous.net_limit, 0.184906963876, 12),
        (homogeneous.linear_constants, 0.249517, 6),
        (homogeneous.diagonal, 1.5, 12),
        (homogeneous.exclusive_or, 2**0.5 / 8, 12),
        (homogeneous.certificate, 0.207440406931, 6),
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_reference_numbers(theorem: Claim, predicted: float, digits: int) -> None:
    outcome = theorem.outcome()
    assert outcome.holds, outcome
    assert round(abs(outcome.comparison.predicted - predicted), digits) == 0


def test_a_margin_off_by_a_thousandth_fails(monkeypatch: Patch) -> None:
    factor = 1.001
    for name in ("deep_linear_margin", "diagonal_margin"):
        wrap(monkeypatch, name, lambda margin: factor * margin)
    for name in ("max_margin", "two_layer_margin", "kkt_point"):
        wrap(monkeypatch, name, scaled("margin", factor))
    for theorem in (
        homogeneous.linear_limit,
        homogeneous.ten_classes,
        homogeneous.deep_linear,
        homogeneous.diagonal,
        homogeneous.exclusive_or,
        homogeneous.net_limit,
        homogeneous.two_limits,
        homogeneous.certificate,
    ):
        assert fails(theorem), theorem.id


@pytest.mark.parametrize("field", ["offset", "loss_rate", "margin_gap", "smoothed_gap"])
def test_each_wrong_constant_of_a_linear_predictor_fails(monkeypatch: Patch, field: str) -> None:
    wrap(monkeypatch, "separation_constants", scaled(field, 1.001))
    assert fails(homogeneous.linear_constants)


def test_wrong_constants_of_decay_fail(monkeypatch: Patch) -> None:
    right = homogeneous.separation_constants
    monkeypatch.setattr(
        homogeneous,
        "separation_constants",
        lambda X, y: scaled("offset", 1.01)(scaled("margin_gap", 1.01)(right(X, y))),
    )
    assert fails(homogeneous.complementarity_limit)
    assert fails(homogeneous.kkt_residual)
    monkeypatch.setattr(homogeneous, "separation_constants", right)
    wrap(monkeypatch, "_left_beside", lambda left: 1.01 * left)
    assert fails(homogeneous.kkt_residual)
    assert fails(homogeneous.deep_linear)


_FLOWS: dict[int, Any] = {}


@pytest.mark.parametrize("factor", [1.002, 0.998])
def test_a_wrong_rate_fails(monkeypatch: Patch, factor: float) -> None:
    right = homogeneous._exact_flow

    def flow_once(landscape: Any, *args: Any, **options: Any) -> Any:
        depth = landscape.net.order
        if depth not in _FLOWS:
            _FLOWS[depth] = right(landscape, *args, **options)
        return _FLOWS[depth]

    monkeypatch.setattr(homogeneous, "_exact_flow", flow_once)
    wrap(monkeypatch, "loss_rate_constant", lambda constant: factor * constant)
    assert fails(homogeneous.rate)


@pytest.mark.parametrize("off", [1, -1])
def test_an_order_off_by_one_fails(monkeypatch: Patch, off: int) -> None:
    right = homogeneous.smoothed_margin
    wrap(monkeypatch, "homogeneity_order", lambda order: order + off)
    for trainer in ("margin_flow", "descend"):
        wrap(monkeypatch, trainer, lambda run: dataclasses.replace(run, order=run.order + off))
    monkeypatch.setattr(
        homogeneous,
        "smoothed_margin",
        lambda log_loss, norm, order, loss: right(log_loss, norm, order + off, loss),
    )
    for theorem in (
        homogeneous.euler,
        homogeneous.margin_growth,
        homogeneous.kkt_identity,
        homogeneous.deep_linear,
        homogeneous.deep_linear_slope,
        homogeneous.diagonal,
        homogeneous.net_limit,
    ):
        assert fails(theorem), theorem.id
    if off == 1:
        # Divided by a power less, the margin would climb all the more.
        assert fails(homogeneous.smoothed_margin_climbs)


def test_a_modified_margin_of_the_wrong_order_fails(monkeypatch: Patch) -> None:
    right = homogeneous.modified_descent_margin
    monkeypatch.setattr(
        homogeneous,
        "modified_descent_margin",
        lambda log_loss, norm, order, **first: right(log_loss, norm, order + 1, **first),
    )
    assert fails(homogeneous.descent)


_SUPREMA: dict[tuple[str, int], tuple[float, float]] = {}


@pytest.fixture(autouse=True)
def suprema_are_measured_once(monkeypatch: Patch) -> None:
    """It takes most of the time of a claim that is broken in many ways below."""
    measure = homogeneous._suprema_on_sphere

    def once(net: Any, X: np.ndarray) -> tuple[float, float]:
        key = type(net).__name__, len(X) * 10 + net.order
        if key not in _SUPREMA:
            _SUPREMA[key] = measure(net, X)
        return _SUPREMA[key]

    monkeypatch.setattr(homogeneous, "_suprema_on_sphere", once)


@pytest.mark.parametrize("factor", [2.0, 1.01, 0.5])
def test_another_step_fails(monkeypatch: Patch, factor: float) -> None:
    wrap(monkeypatch, "log_descent_step_bound", lambda bound: bound + math.log(factor))
    assert fails(homogeneous.descent)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("deep_linear_bounds", "gradient"),
        ("diagonal_bounds", "hessian"),
        ("two_layer_bounds", "hessian"),
    ],
)
def test_another_bound_on_a_derivative_fails(monkeypatch: Patch, name: str, field: str) -> None:
    wrap(monkeypatch, name, scaled(field, 1.01))
    assert fails(homogeneous.descent)


def test_a_modified_margin_without_its_order_fails(monkeypatch: Patch) -> None:
    def without(log_loss: float, norm: float, order: int, *, initial_log_loss: float) -> float:
        u, u0 = -np.asarray(log_loss), -initial_log_loss
        return u / norm**order * np.exp(-u0 * (1 / u + 1 / (2 * u * u)))

    monkeypatch.setattr(homogeneous, "modified_descent_margin", without)
    assert fails(homogeneous.descent)


def test_a_descent_by_hand_that_differs_fails(monkeypatch: Patch) -> None:
    wrap(monkeypatch, "_ten_times_too_long", lambda found: (1.001 * found[0], found[1]))
    assert fails(homogeneous.descent_too_long)


def test_steps_that_keep_the_margin_are_not_too_long(monkeypatch: Patch) -> None:
    wrap(monkeypatch, "log_descent_step_bound", lambda bound: bound - math.log(10))
    assert fails(homogeneous.descent_too_long)


def test_a_velocity_off_by_a_percent_fails(monkeypatch: Patch) -> None:
    right = homogeneous._Landscape.__call__
    faulty = slice(None)

    def wrong(self: Any, theta: np.ndarray) -> Any:
        point = right(self, theta)
        point.velocity[faulty] *= 1.01
        return point

    monkeypatch.setattr(homogeneous._Landscape, "__call__", wrong)
    # All of it off by the same factor is another clock: only the rate can tell.
    assert fails(homogeneous.rate)
    faulty = slice(0, 7)
    assert fails(homogeneous.margin_growth)


def test_a_flow_that_sees_one_feature_too_large_fails(monkeypatch: Patch) -> None:
    right = homogeneous.margin_flow

    def wrong(net: Any, X: np.ndarray, y: np.ndarray, **options: Any) -> Any:
        larger = np.array(X, dtype=float)
        larger[:, np.argmax(np.linalg.norm(larger, axis=0))] *= 1.01
        return right(net, larger, y, **options)

    monkeypatch.setattr(homogeneous, "margin_flow", wrong)
    for theorem in (
        homogeneous.linear_constants,
        homogeneous.linear_limit,
        homogeneous.ten_classes,
        homogeneous.complementarity_limit,
        homogeneous.kkt_residual,
        homogeneous.deep_linear,
        homogeneous.deep_linear_slope,
        homogeneous.diagonal,
        homogeneous.certificate,
    ):
        assert fails(theorem), theorem.id


def test_a_network_of_a_margin_too_small_fails(monkeypatch: Patch) -> None:
    wrap(monkeypatch, "margin_flow", scaled("minimum_margin", 0.999))
    for theorem in (homogeneous.exclusive_or, homogeneous.two_limits, homogeneous.net_limit):
        assert fails(theorem), theorem.id


def test_a_margin_that_is_no_number_fails(monkeypatch: Patch) -> None:
    wrap(monkeypatch, "margin_flow", scaled("minimum_margin", np.nan))
    for theorem in (
        homogeneous.bracket,
        homogeneous.kkt_residual,
        homogeneous.linear_constants,
        homogeneous.linear_limit,
        homogeneous.deep_linear,
        homogeneous.diagonal,
        homogeneous.net_limit,
        homogeneous.two_limits,
    ):
        assert fails(theorem), theorem.id


@pytest.mark.parametrize("field", ["minimum_margin", "log_loss"])
def test_a_margin_recorded_wrongly_fails(monkeypatch: Patch, field: str) -> None:
    wrap(monkeypatch, "margin_flow", scaled(field, 1.001))
    assert fails(homogeneous.bracket)


@pytest.mark.parametrize(
    ("field", "factor"), [("minimum_margin", 1.001), ("gradient_alignment", 0.999), ("slack", 1.01)]
)
def test_an_identity_of_wrong_records_fails(monkeypatch: Patch, field: str, factor: float) -> None:
    wrap(monkeypatch, "descend", scaled(field, factor))
    assert fails(homogeneous.kkt_identity)


def test_a_bound_exceeded_fails(monkeypatch: Patch) -> None:
    right = homogeneous.margin_flow

    def wrong(net: Any, X: np.ndarray, y: np.ndarray, **options: Any) -> Any:
        run = right(net, X, y, **options)
        # Only where there are two samples: there the bound has a quarter of room.
        return dataclasses.replace(run, slack=1.4 * run.slack) if len(y) == 2 else run

    monkeypatch.setattr(homogeneous, "margin_flow", wrong)
    assert fails(homogeneous.complementarity)


@pytest.mark.parametrize(("certificate", "attack"), [(1.001, 1.0), (1.0, 0.999)])
def test_a_certificate_beyond_an_attack_fails(
    monkeypatch: Patch, certificate: float, attack: float
) -> None:
    wrap(monkeypatch, "certified_radius", lambda radius: certificate * radius)
    wrap(monkeypatch, "l2_attack", scaled("distance", attack))
    assert fails(homogeneous.certificate)


def test_a_certificate_of_nets_beyond_an_attack_fails(monkeypatch: Patch) -> None:
    wrap(monkeypatch, "certified_radius", lambda r: 1.1 * r if len(r) < 100 else r)
    assert fails(homogeneous.certificate)


def test_limits_that_do_not_differ_fail(monkeypatch: Patch) -> None:
    right = homogeneous.MLP
    monkeypatch.setattr(
        homogeneous, "MLP", lambda *sizes, **options: right(*sizes, **{**options, "seed": 0})
    )
    assert fails(homogeneous.two_limits)
