"""Claims on nearly homogeneous nets fail when either side is wrong."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.polynomial import Polynomial

from ibtools.claims import Claim
from ibtools.claims import non_homogeneous as claims
from ibtools.metrics.homogeneity_defect import HomogeneityDefects
from ibtools.models import NotHomogeneousError
from ibtools.theory import DescentGuarantee, homogeneity
from ibtools.theory.homogeneity import NearHomogeneity
from ibtools.trainers import descend
from ibtools.trainers.margins.problem import Problem, Tangents

# A run that a wrong side brings to a halt says so; its claim must fail all the same.
pytestmark = [
    pytest.mark.usefixtures("as_a_user"),
    pytest.mark.filterwarnings("ignore::ibtools.trainers.TrainingWarning"),
]


def fails(*broken: Claim) -> None:
    """Each claim fails, or its trainer sees that the bound is none and refuses it."""
    for theorem in broken:
        try:
            outcome = theorem.run()
        except NotHomogeneousError:
            continue
        assert not outcome.holds, theorem.id


def test_every_claim_is_listed() -> None:
    defined = [value for value in vars(claims).values() if isinstance(value, Claim)]
    assert defined == list(claims.CLAIMS)
    assert all(theorem.id.startswith("non_homogeneous.") for theorem in defined)


def patched_bounds(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[NearHomogeneity], NearHomogeneity]
) -> None:
    right = claims.near_homogeneity
    monkeypatch.setattr(
        claims, "near_homogeneity", lambda *args, **options: change(right(*args, **options))
    )


@pytest.mark.slow
def test_a_constant_too_small_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = homogeneity.activation_constants
    monkeypatch.setattr(
        homogeneity,
        "activation_constants",
        lambda name: right(name)._replace(kappa=0.97 * right(name).kappa),
    )
    fails(claims.defect, claims.gap)


def test_a_bound_that_is_not_sharp_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_SIX", {"one": claims._SIX["a·SiLU(Wx)"]})
    assert claims.defect.run().holds
    patched_bounds(monkeypatch, lambda h: replace(h, defect=1.05 * h.defect, gap=2 * h.gap))
    fails(claims.defect, claims.gap)


@pytest.mark.slow
def test_a_gap_too_small_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    patched_bounds(monkeypatch, lambda h: replace(h, defect=0.2 * h.defect, gap=0.2 * h.gap))
    fails(
        claims.two_parameters,
        claims.modified_margin,
        claims.modified_margin_logistic,
        claims.norm,
        claims.alignment,
        claims.certificate,
        claims.descent,
    )


def test_a_wrong_homogenization_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # The GELU sees the fixed input: a ReLU in its place is another net.
    def change(h: NearHomogeneity) -> NearHomogeneity:
        inner = h.homogenized.layers[0].inner
        if isinstance(inner[0], torch.nn.GELU):
            inner[0] = torch.nn.ReLU()
        return h

    assert claims.certificate.outcome().holds
    patched_bounds(monkeypatch, change)
    fails(claims.certificate)


def test_a_wrong_gradient_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Problem.descend_from

    def wrong(self: Problem) -> object:
        state, gradient = right(self)
        gradient = gradient.clone()
        gradient[: len(gradient) // 2] *= 1.05
        return state, gradient

    monkeypatch.setattr(Problem, "descend_from", wrong)
    fails(claims.two_parameters, claims.rate_of_loss)


def test_another_direction_than_the_gradient_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Problem.descend_from

    def signs(self: Problem) -> object:
        state, gradient = right(self)
        return state, gradient.sign() * gradient.abs().mean()

    monkeypatch.setattr(Problem, "descend_from", signs)
    fails(claims.modified_margin)


@pytest.mark.slow
def test_a_flow_in_another_metric_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Tangents.combination

    def wrong(self: Tangents, c: np.ndarray) -> torch.Tensor:
        flat = right(self, c)
        flat[:6:2] *= 3  # the first feature's weights
        return flat

    monkeypatch.setattr(Tangents, "combination", wrong)
    fails(claims.rate_of_norm, claims.direction, claims.kkt_distance, claims.dropped_bias)


@pytest.mark.slow
def test_a_wrong_optimum_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    margin, predictor, imbalance = claims._linear_optimum()
    turned = np.roll(predictor, 1)
    monkeypatch.setattr(
        claims, "_linear_optimum", lambda: (1.01 * margin, turned, 1.05 * imbalance)
    )
    fails(claims.rate_of_loss, claims.rate_of_norm, claims.direction, claims.dropped_bias)


def test_wrong_measurements_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    right = claims.homogeneity_defects

    def wrong(*args: object, **options: object) -> HomogeneityDefects:
        measured = right(*args, **options)
        return measured._replace(defects=1.001 * measured.defects)

    monkeypatch.setattr(claims, "homogeneity_defects", wrong)
    fails(claims.attention, claims.normalization)


def test_a_guarantee_that_promises_too_much_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = claims.descent_guarantee

    def promising(change: Callable[[DescentGuarantee], DescentGuarantee]) -> None:
        monkeypatch.setattr(
            claims, "descent_guarantee", lambda *args, **options: change(right(*args, **options))
        )

    # Without curvature a step would have to gain more than it does.
    promising(lambda found: replace(found, curvature=Polynomial([1e-6])))
    fails(claims.descent)
    # So it would if steps were as long as they are said to be.
    promising(lambda found: replace(found, log_step_size=found.log_step_size + 1))
    monkeypatch.setattr(
        claims,
        "descend",
        lambda *args, step_size, **options: descend(*args, step_size=step_size / 3, **options),
    )
    fails(claims.descent, claims.descent_rate)


def test_steps_that_keep_the_margin_are_not_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        claims,
        "descend",
        lambda *args, step_size, **options: descend(*args, step_size=step_size / 6, **options),
    )
    fails(claims.descent_too_long)


def test_a_norm_of_another_power_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = claims._largest_margin
    monkeypatch.setattr(claims, "_largest_margin", lambda X, p: right(X, 1.0 if p > 1 else np.inf))
    fails(claims.steepest)


def test_no_strong_separability_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    patched_bounds(monkeypatch, lambda h: replace(h, gap=100.0 * h.gap))
    fails(claims.modified_margin)
