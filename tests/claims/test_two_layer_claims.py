"""The claims on two-layer networks fail when either of their sides is broken."""

from dataclasses import replace

import numpy as np
import pytest
from once import call_once

from ibtools.claims import two_layer
from ibtools.claims.claim import Claim
from ibtools.models.two_layer import TwoLayerNet
from ibtools.trainers.two_layer.gram import GramDescent

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_a_user")]

_LEAKY = (
    two_layer.limit_direction,
    two_layer.equal_margins,
    two_layer.whole_rank,
    two_layer.whole_rank_any_data,
    two_layer.loss_constant,
    two_layer.log_domain_loss,
    two_layer.linear_boundary,
    two_layer.inconsistent,
    two_layer.sliding,
)


def fails(theorem: Claim) -> bool:
    return not theorem.run().holds


def test_theory_of_another_slope_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    call_once(monkeypatch, two_layer)

    def steeper(net: TwoLayerNet) -> TwoLayerNet:
        return TwoLayerNet(net.W, slope=1.02 * net.slope)

    for name in ("two_layer_limit", "sliding_limit", "signed_rank_constants", "first_step_slack"):
        right = getattr(two_layer, name)
        monkeypatch.setattr(
            two_layer,
            name,
            lambda net, *rest, _right=right, **options: _right(steeper(net), *rest, **options),
        )
    right = two_layer.balanced_stable_rank
    monkeypatch.setattr(two_layer, "balanced_stable_rank", lambda slope: right(1.02 * slope))
    for theorem in (*_LEAKY, two_layer.first_step):
        assert fails(theorem), theorem.id


def test_theory_with_wrong_multipliers_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    call_once(monkeypatch, two_layer)
    right = two_layer.two_layer_limit

    def wrong(net: TwoLayerNet, X: np.ndarray, y: np.ndarray, **options: bool) -> object:
        limit = right(net, X, y, **options)
        multipliers = limit.multipliers * np.linspace(1, 1.02, len(y))
        return replace(limit, multipliers=multipliers, W=limit.W * np.linspace(1, 1.02, X.shape[1]))

    monkeypatch.setattr(two_layer, "two_layer_limit", wrong)
    for theorem in (
        two_layer.limit_direction,
        two_layer.equal_margins,
        two_layer.loss_constant,
        two_layer.log_domain_loss,
        two_layer.linear_boundary,
        two_layer.relu_limit,
    ):
        assert fails(theorem), theorem.id


def test_wrong_constants_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, factor in (
        ("relu_rank_bound", 0.95),
        ("wide_relu_stable_rank", 1.05),
        ("wide_relu_stable_rank", 0.96),
        ("signed_rank_constants", 1.01),
        ("first_step_slack", 1.0),
    ):
        call_once(monkeypatch, two_layer)
        right = getattr(two_layer, name)
        theorem = {
            "relu_rank_bound": two_layer.relu_rank_bound_holds,
            "wide_relu_stable_rank": two_layer.relu_wide,
            "signed_rank_constants": two_layer.signed_rank_rate,
            "first_step_slack": two_layer.first_step,
        }[name]
        shift = 0.01 if name == "first_step_slack" else 0.0
        monkeypatch.setattr(
            two_layer,
            name,
            lambda *a, _right=right, _f=factor, _s=shift, **k: _f * _right(*a, **k) + _s,
        )
        assert fails(theorem), theorem.id
        monkeypatch.undo()


def test_training_with_another_slope_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = GramDescent._pulls
    monkeypatch.setattr(GramDescent, "_pulls", lambda self, y, slope: right(self, y, 1.02 * slope))
    for theorem in (*_LEAKY, two_layer.first_step, two_layer.gram):
        assert fails(theorem), theorem.id


def test_training_with_a_favoured_neuron_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = GramDescent._pulls

    def wrong(self: GramDescent, *arguments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pulls = right(self, *arguments)
        for pull in pulls:
            pull[:, 0] *= 1.3
        return pulls

    monkeypatch.setattr(GramDescent, "_pulls", wrong)
    for theorem in (
        two_layer.limit_direction,
        two_layer.signed_rank_rate,
        two_layer.whole_rank,
        two_layer.relu_limit,
        two_layer.gram,
    ):
        assert fails(theorem), theorem.id


def test_training_that_loses_neurons_or_time_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = GramDescent._pull

    def dying(self: GramDescent, active: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        pull = right(self, active, *rest).copy()
        rows, samples = np.indices(active.shape[1:])
        pull[:, (rows + samples) % 3 > 0] = 0  # a third of the neurons for each sample
        return pull

    monkeypatch.setattr(GramDescent, "_pull", dying)
    assert fails(two_layer.relu_rank_bound_holds)
    assert fails(two_layer.relu_wide)
    monkeypatch.undo()
    weights = GramDescent._weights

    def tiring(self: GramDescent, margins: np.ndarray, chosen: np.ndarray) -> tuple:
        found, log_eta, log_loss = weights(self, margins, chosen)
        return found * np.exp(0.05 * log_loss)[:, None], log_eta, log_loss

    monkeypatch.setattr(GramDescent, "_weights", tiring)
    for theorem in (two_layer.loss_rate, two_layer.loss_constant):
        assert fails(theorem), theorem.id


def test_a_consistent_problem_is_no_example_of_an_inconsistent_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = two_layer._cosine_problem
    monkeypatch.setattr(two_layer, "_cosine_problem", lambda *, d, slope: right(d=400, slope=0.5))
    assert fails(two_layer.inconsistent)
