"""Where descent on two-layer networks goes, against what theory says, beyond the claims."""

import numpy as np
import pytest

from ibtools.models.two_layer import TwoLayerNet
from ibtools.theory.two_layer import (
    InconsistentPatternError,
    TwoLayerLimit,
    frozen_limit,
    sliding_limit,
    two_layer_limit,
)
from ibtools.trainers.two_layer import TwoLayerRun, train_two_layer, train_two_layer_batch

pytestmark = pytest.mark.usefixtures("as_a_user")


def apart(run: TwoLayerRun, limit: TwoLayerLimit) -> float:
    return float(np.linalg.norm(run.net.W / np.linalg.norm(run.net.W) - limit.direction))


def problem(n: int, d: int, m: int, slope: float, seed: int, scale: float = 1e-4) -> tuple:
    random = np.random.default_rng(seed)
    net = TwoLayerNet.initialize(m=m, d=d, slope=slope, scale=scale, seed=random)
    y = np.repeat([1.0, -1.0], [n - n // 2, n // 2])
    return net, random.normal(size=(n, d)), y


def cosine_problem(d: int, slope: float) -> tuple:
    i, k = np.arange(8)[:, None], np.arange(d)
    X = np.cos(0.9 * (i + 1) * (k + 1) + 0.13 * (i + 1) ** 2 * (k + 1) ** 1.5)
    order = np.arange(1, 20 * d + 1)
    W = 1e-3 * np.sin(0.7 * order**2 + 0.3 * order).reshape(20, d)
    return TwoLayerNet(W, slope=slope), X, np.repeat([1.0, -1.0], 4)


def test_references_1_to_3() -> None:
    net, X, y = cosine_problem(400, 0.5)
    run = train_two_layer(net, X, y, step_size=0.2, steps=5000, schedule="loss_based")
    assert apart(run, two_layer_limit(net, X, y)) ** 2 / 2 < 1e-7
    net, X, y = cosine_problem(64, 0.3)
    run = train_two_layer(net, X, y, step_size=1.25, steps=5000, schedule="loss_based")
    assert apart(run, two_layer_limit(net, X, y, check=False)) ** 2 / 2 == pytest.approx(
        2.7e-3, rel=0.2, abs=0
    )
    with pytest.raises(InconsistentPatternError):
        two_layer_limit(net, X, y)


@pytest.mark.parametrize("schedule", ["constant", "loss_based"])
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_loss_and_schedule_do_not_change_the_limit(loss: str, schedule: str) -> None:
    net, X, y = problem(8, 600, 5, 0.4, seed=1)
    run = train_two_layer(
        net, X, y, step_size=8 * 5 / 1200, steps=8000, loss=loss, schedule=schedule
    )
    limit = two_layer_limit(net, X, y)
    # The bounded part of W against log τ: 9 here, thousands there.
    assert apart(run, limit) < 3 / run.log_time[-1]
    margins = run.normalized_margins[-1] * run.norm[-1]
    assert np.ptp(margins) == pytest.approx(limit.margin_gap(), rel=0.02, abs=0)


def test_samples_that_are_no_support_vectors_have_larger_margins() -> None:
    X = np.array([[1.0, 0.0, 0.0], [5.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    y = np.array([1.0, 1.0, -1.0])
    net = TwoLayerNet.initialize(m=3, d=3, slope=0.5, scale=1e-4, seed=0)
    limit = two_layer_limit(net, X, y)
    run = train_two_layer(net, X, y, step_size=1.0, steps=20_000, schedule="loss_based")
    assert apart(run, limit) < 1e-3
    expected = y * limit.net.predict(X) * limit.margin
    np.testing.assert_allclose(run.normalized_margins[-1], expected, rtol=2e-3)
    assert expected[1] > 4 * expected[0]
    # Rank one it is all the same.
    np.testing.assert_allclose(run.stable_rank_signed[-1], 1, atol=1e-6)
    tau_loss = np.exp(run.log_loss[-1] - np.log(3) + run.log_time[-1])
    assert tau_loss == pytest.approx(
        limit.loss_time(schedule="loss_based", step_size=1.0), rel=1e-3, abs=0
    )


def test_random_data_below_the_threshold_slide() -> None:
    nets, data, y = [], [], None
    for seed in range(20):
        net, X, y = problem(10, 60, 4, 0.4, seed)
        nets.append(net)
        data.append(X)
    runs = train_two_layer_batch(
        nets, data, y, step_size=10 * 4 / 120, steps=8000, schedule="loss_based", record_count=2
    )
    slid = closed = 0
    for net, X, run in zip(nets, data, runs, strict=True):
        own = np.outer(net.signs, y) > 0
        if not run.net.activity(X)[own].all():
            continue  # a neuron lost a sample of its own sign: another limit, not of rank one
        limit = sliding_limit(net, X, y)
        assert apart(run, limit) < 1e-3
        slid += limit.sliding.any()
        closed += two_layer_limit(net, X, y, check=False).consistency > 0
    assert slid >= 5
    assert closed >= 3


def test_a_frozen_relu_pattern_decides() -> None:
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(30, 6)))[0].T
    X, y = np.linspace(1, 2, 6)[:, None] * basis, np.repeat([1.0, -1.0], 3)
    net = TwoLayerNet.initialize(m=9, d=30, slope=0.0, scale=1e-3, seed=1)
    early = train_two_layer(net, X, y, step_size=20.0, steps=100)
    late = train_two_layer(net, X, y, step_size=10.0, steps=20_000, schedule="loss_based")
    assert early.last_switch[-1] < 50
    limit = frozen_limit(early.net, X, y)
    np.testing.assert_allclose(limit.W, two_layer_limit(net, X, y).W, atol=1e-12)
    assert apart(late, limit) < 1e-3
    np.testing.assert_allclose(late.stable_rank_signed[-1], limit.stable_rank_signed, rtol=1e-3)
    assert late.stable_rank[-1] == pytest.approx(limit.stable_rank, rel=1e-3, abs=0)


def test_a_large_start_stays_of_high_rank() -> None:
    ranks = []
    for scale in (1e-3, 1e-2, 1e-1):
        net, X, y = problem(10, 800, 20, 0.3, seed=2, scale=scale)
        run = train_two_layer(net, X, y, step_size=0.5 * 10 * 20 / 800, steps=10_000)
        ranks.append(run.stable_rank_signed[-1][0])
    assert ranks[0] < 1.01
    assert 1.05 < ranks[1] < 1.5
    assert ranks[2] > 5
