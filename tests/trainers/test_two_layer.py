"""Descent on two-layer networks against automatic differentiation, and how runs end."""

import warnings
from collections.abc import Callable
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.metrics.rank import stable_rank
from ibtools.models.two_layer import TwoLayerNet
from ibtools.trainers import TrainingWarning
from ibtools.trainers.two_layer import TwoLayerRun, train_two_layer, train_two_layer_batch
from ibtools.trainers.two_layer.gram import GramDescent, log_loss_terms, log_sum


def written_start(*, m: int, d: int, scale: float = 1e-3) -> np.ndarray:
    """Return a start that is written down by sines."""
    k = np.arange(1, 2 * m * d + 1)
    return scale * np.sin(0.7 * k**2 + 0.3 * k).reshape(2 * m, d)


def cosines(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 8 samples that are written down by cosines."""
    i, k = np.arange(8)[:, None], np.arange(d)
    X = np.cos(0.9 * (i + 1) * (k + 1) + 0.13 * (i + 1) ** 2 * (k + 1) ** 1.5)
    return X, np.repeat([1.0, -1.0], 4)


def axes() -> tuple[np.ndarray, np.ndarray]:
    """Return 4 orthogonal samples in 6 dimensions."""
    return np.diag([2, 3, 2.5, 3.5]) @ np.eye(4, 6), np.array([1.0, 1.0, -1.0, -1.0])


def small(seed: int, slope: float, n: int = 5, d: int = 7) -> tuple:
    random = np.random.default_rng(seed)
    y = random.choice([-1.0, 1.0], size=n)
    return TwoLayerNet(0.3 * random.normal(size=(6, d)), slope=slope), random.normal(size=(n, d)), y


def autograd(
    net: TwoLayerNet, X: np.ndarray, y: np.ndarray, *, step: float, steps: int, **options: str
) -> np.ndarray:
    """Return the weights after descent as anyone would write it."""
    W = torch.tensor(net.W.copy(), requires_grad=True)
    inputs, labels = torch.tensor(X), torch.tensor(y)
    for _ in range(steps):
        hidden = torch.nn.functional.leaky_relu(inputs @ W.T, net.slope)
        outputs = hidden[:, : net.m].mean(dim=1) - hidden[:, net.m :].mean(dim=1)
        if options.get("loss") == "exponential":
            loss = torch.exp(-labels * outputs).mean()
        else:
            loss = torch.nn.functional.softplus(-labels * outputs).mean()
        (gradient,) = torch.autograd.grad(loss, W)
        with torch.no_grad():
            eta = step / loss if options.get("schedule") == "loss_based" else step
            W -= eta * gradient
    return W.detach().numpy()


@pytest.mark.usefixtures("as_a_user")
def test_reference_1_loss_of_a_constant_step() -> None:
    net = TwoLayerNet(written_start(m=8, d=6), slope=0.25)
    X, y = axes()
    run = train_two_layer(net, X, y, step_size=1.0, steps=100_000)
    mean_loss = np.exp(run.log_loss[-1]) / 4
    assert 1e5 * mean_loss == pytest.approx(4.54012, abs=1e-4)
    assert run.log_time[-1] == pytest.approx(np.log(1e5), rel=1e-12, abs=0)
    assert run.converged


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("schedule", ["constant", "loss_based"])
@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_all_ways_agree_with_automatic_differentiation(
    loss: str, schedule: str, slope: float
) -> None:
    for seed in range(3):
        net, X, y = small(seed, slope)
        expected = autograd(net, X, y, step=0.5, steps=200, loss=loss, schedule=schedule)
        for method in ("gram", "weights"):
            run = train_two_layer(
                net, X, y, step_size=0.5, steps=200, loss=loss, schedule=schedule, method=method
            )
            error = np.linalg.norm(run.net.W - expected) / np.linalg.norm(expected)
            assert error < 1e-12, (method, seed)


@settings(max_examples=25)
@given(
    st.integers(0, 10_000),
    st.floats(0, 1),
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from(["constant", "loss_based"]),
    st.floats(0.01, 0.5),
)
def test_the_gram_matrix_is_all_that_matters(
    seed: int, slope: float, n: int, d: int, schedule: str, step: float
) -> None:
    net, X, y = small(seed, slope, n, d)  # n ≥ d as well
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # random labels need not be learnable
        gram, weights = (
            train_two_layer(
                net,
                X,
                y,
                step_size=step,
                steps=60,
                schedule=schedule,
                method=method,
                record_count=9,
            )
            for method in ("gram", "weights")
        )
    size = np.linalg.norm(weights.net.W)
    assert np.linalg.norm(gram.net.W - weights.net.W) <= 1e-11 * size
    for name in ("steps", "pattern_switches", "last_switch"):
        np.testing.assert_array_equal(getattr(gram, name), getattr(weights, name))
    for name in ("log_time", "log_loss", "norm", "stable_rank", "stable_rank_signed"):
        np.testing.assert_allclose(getattr(gram, name), getattr(weights, name), rtol=1e-9)
    np.testing.assert_allclose(gram.normalized_margins, weights.normalized_margins, atol=1e-10)
    np.testing.assert_allclose(gram.pattern_agreement, weights.pattern_agreement, rtol=1e-12)


def test_records_are_what_the_networks_have() -> None:
    net, X, y = small(3, 0.2)
    run = train_two_layer(
        net, X, y, step_size=0.5, steps=500, schedule="loss_based", record_count=12
    )
    assert run.steps[0] == 0
    assert run.steps[-1] == 500
    assert np.all(np.diff(run.steps) > 0)
    assert run.log_time[0] == -np.inf
    for i in range(len(run.steps)):
        then = run.net_at(i)
        margins = y * then.predict(X)
        norm = np.linalg.norm(then.W)
        assert run.norm[i] == pytest.approx(norm, rel=1e-12, abs=0)
        np.testing.assert_allclose(run.normalized_margins[i], margins / norm, atol=1e-12)
        loss = np.log(np.sum(np.logaddexp(0, -margins)))
        assert run.log_loss[i] == pytest.approx(loss, rel=1e-9, abs=0)
        assert run.stable_rank[i] == pytest.approx(stable_rank(then.W), rel=1e-10, abs=0)
        signed = [stable_rank(then.W_plus), stable_rank(then.W_minus)]
        np.testing.assert_allclose(run.stable_rank_signed[i], signed, rtol=1e-10)
        right = then.activity(X) == (np.outer(net.signs, y) > 0)
        assert run.pattern_agreement[i] == pytest.approx(right.mean(), rel=1e-14, abs=0)
        assert run.normalized_margin[i] == pytest.approx(margins.min() / norm, abs=1e-12)
        spread = (margins.max() - margins.min()) / np.abs(margins).max()
        assert run.margin_spread[i] == pytest.approx(spread, abs=1e-12)
    np.testing.assert_allclose(run.net_at(0).W, net.W, rtol=1e-15)
    np.testing.assert_array_equal(run.net_at(-1).W, run.net.W)
    with pytest.raises(IndexError):
        run.net_at(99)


def test_time_is_the_sum_of_the_steps() -> None:
    net, X, y = small(0, 0.2)
    run = train_two_layer(
        net, X, y, step_size=0.3, steps=40, schedule="loss_based", record_count=400
    )
    np.testing.assert_array_equal(run.steps, np.arange(41))
    mean_loss = np.exp(run.log_loss) / len(y)
    np.testing.assert_allclose(np.exp(run.log_time[1:]), np.cumsum(0.3 / mean_loss[:-1]))


def test_switches_are_counted_one_by_one() -> None:
    net, X, y = small(5, 0.05, n=6, d=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        run = train_two_layer(net, X, y, step_size=2.0, steps=300, record_count=5000)
    patterns = [run.net_at(i).activity(X) for i in range(301)]
    changes = np.array([np.count_nonzero(a != b) for a, b in pairwise(patterns)])
    np.testing.assert_array_equal(run.pattern_switches, np.cumsum([0, *changes]))
    assert changes.sum() > 30
    last = [max([t for t in range(1, s + 1) if changes[t - 1]], default=0) for s in run.steps]
    np.testing.assert_array_equal(run.last_switch, last)


@pytest.mark.usefixtures("as_a_user")
def test_frozen_steps_are_full_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [(400, 0.5, 0.2), (64, 0.3, 1.25), (100, 0.0, 0.3)]
    taken: list[int] = []
    frozen = GramDescent._frozen_steps

    def counted(self: GramDescent, state: object, chosen: np.ndarray, steps: int) -> np.ndarray:
        kept = frozen(self, state, chosen, steps)
        taken.append(steps * len(kept))
        return kept

    def refused(self: GramDescent, state: object, chosen: np.ndarray, steps: int) -> np.ndarray:
        return chosen[:0]

    for d, slope, step in cases:
        net = TwoLayerNet(written_start(m=10, d=d), slope=slope)
        X, y = cosines(d)
        runs: list[TwoLayerRun] = []
        for way in (counted, refused):
            monkeypatch.setattr(GramDescent, "_frozen_steps", way)
            runs.append(
                train_two_layer(
                    net, X, y, step_size=step, steps=2000, schedule="loss_based", record_count=20
                )
            )
        quick, slow = runs
        np.testing.assert_allclose(quick.net.W, slow.net.W, atol=1e-12 * slow.norm[-1])
        np.testing.assert_array_equal(quick.pattern_switches, slow.pattern_switches)
        np.testing.assert_allclose(quick.log_time, slow.log_time, rtol=1e-12)
    assert sum(taken) > 1500, "the quick way was hardly ever taken"


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02, 0.3, 0.9]), st.floats(0.05, 0.5))
def test_frozen_steps_never_miss_a_switch(seed: int, slope: float, step: float) -> None:
    # Every block of steps is tried the quick way first, on problems that switch all the time.
    # Larger steps would be chaotic, and then rounding decides.
    net, X, y = small(seed, slope, n=6, d=8)
    options = {"step_size": step, "steps": 150, "schedule": "loss_based", "record_count": 12}
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", TrainingWarning)
        weights = train_two_layer(net, X, y, method="weights", **options)
        full = GramDescent._full_steps

        def eager(self: GramDescent, *arguments: object) -> np.ndarray:
            return np.ones_like(full(self, *arguments))

        patch.setattr(GramDescent, "_full_steps", eager)
        gram = train_two_layer(net, X, y, **options)
    np.testing.assert_array_equal(gram.pattern_switches, weights.pattern_switches)
    np.testing.assert_array_equal(gram.last_switch, weights.last_switch)
    np.testing.assert_allclose(gram.net.W, weights.net.W, atol=1e-10 * weights.norm[-1])


@pytest.mark.parametrize("q", [-1e4, -750.0, -30.0, -1.0, 0.0, 1e-9, 1.0, 36.0, 700.0, 745.0, 1e6])
def test_losses_of_any_size(q: float) -> None:
    log_loss, log_slope = (float(part[0]) for part in log_loss_terms(np.array([q]), "logistic"))
    with mp.workdps(40 + int(max(q, 0) / 2)) if q < 2000 else mp.workdps(40):
        if q < 2000:
            grown = mp.exp(-mp.mpf(q))
            expected = mp.log(mp.log1p(grown)), mp.log(grown / (1 + grown))
        else:
            expected = mp.mpf(-q), mp.mpf(-q)
    assert log_loss == pytest.approx(float(expected[0]), rel=1e-14, abs=0)
    assert log_slope == pytest.approx(float(expected[1]), rel=1e-14, abs=0)
    assert [float(part[0]) for part in log_loss_terms(np.array([q]), "exponential")] == [-q, -q]


def test_a_sum_of_logarithms() -> None:
    terms = np.array([[-1e5, -1e5 - 1.0], [3.0, -1e5]])
    expected = [-1e5 + np.log1p(np.exp(-1)), 3.0]
    np.testing.assert_allclose(log_sum(terms), expected, rtol=1e-15)


@pytest.mark.usefixtures("as_a_user")
def test_log_time_in_the_thousands() -> None:
    net = TwoLayerNet(written_start(m=10, d=400), slope=0.5)
    run = train_two_layer(net, *cosines(400), step_size=0.2, steps=20_000, schedule="loss_based")
    assert run.log_time[-1] > 10_000
    assert run.log_loss[-1] < -10_000
    assert all(np.isfinite(part).all() for part in (run.norm, run.log_loss, run.stable_rank))
    assert np.all(np.diff(run.stable_rank_signed[10:], axis=0) < 1e-12)


def _mixed_batch() -> tuple[list, list, list, np.ndarray]:
    nets, data, labels = [], [], []
    for seed, (slope, d) in enumerate([(0.0, 7), (0.4, 12), (0.05, 5), (1.0, 30)]):
        net, X, y = small(seed, slope, d=d)
        nets.append(net)
        data.append(X)
        labels.append(y)
    return nets, data, labels, np.array([0.3, 0.5, 1.0, 0.1])


@pytest.mark.parametrize("schedule", ["constant", "loss_based"])
def test_a_batch_is_its_networks_one_by_one(schedule: str) -> None:
    nets, data, labels, rates = _mixed_batch()
    runs = train_two_layer_batch(
        nets, data, labels, step_size=rates, steps=700, schedule=schedule, record_count=10
    )
    assert len(runs) == 4
    assert runs.converged
    for i, run in enumerate(runs):
        alone = train_two_layer(
            nets[i],
            data[i],
            labels[i],
            step_size=rates[i],
            steps=700,
            schedule=schedule,
            record_count=10,
        )
        np.testing.assert_allclose(run.net.W, alone.net.W, atol=1e-12 * alone.norm[-1])
        np.testing.assert_array_equal(run.steps, alone.steps)
        np.testing.assert_array_equal(run.pattern_switches, alone.pattern_switches)
        np.testing.assert_array_equal(run.last_switch, alone.last_switch)
        np.testing.assert_allclose(run.stable_rank, alone.stable_rank, rtol=1e-10)
        np.testing.assert_allclose(run.log_loss, alone.log_loss, rtol=1e-10)
    assert runs.last("norm").shape == (4,)
    assert runs.last("normalized_margins").shape == (4, 5)
    assert [run.net.slope for run in runs[1:3]] == [0.4, 0.05]
    np.testing.assert_array_equal(runs[0].net_at(-1).W, runs[0].net.W)
    with pytest.raises(ValueError, match="train this network by itself"):
        runs[0].net_at(0)
    assert "4 runs, 4 of them converged" in repr(runs)


def test_one_problem_for_a_whole_batch() -> None:
    _, X, y = small(0, 0.3)
    nets = [small(seed, 0.3)[0] for seed in range(3)]
    runs = train_two_layer_batch(nets, X, y, step_size=0.5, steps=50)
    for net, run in zip(nets, runs, strict=True):
        expected = train_two_layer(net, X, y, step_size=0.5, steps=50).net.W
        np.testing.assert_allclose(run.net.W, expected, rtol=1e-12)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(("d", "slope"), [(400, 0.5), (64, 0.3)], ids=["frozen", "switching"])
@pytest.mark.parametrize("method", ["gram", "weights"])
def test_stops_at_the_asked_loss(method: str, d: int, slope: float) -> None:
    net, (X, y) = TwoLayerNet(written_start(m=10, d=d), slope=slope), cosines(d)
    options = {"step_size": 0.2, "schedule": "loss_based", "method": method}
    run = train_two_layer(net, X, y, steps=5000, until_log10_loss=-50.0, **options)
    assert run.converged
    assert "reached the asked loss" in run.message
    assert run.log_loss[-1] <= -50 * np.log(10)
    before = train_two_layer(net, X, y, steps=int(run.steps[-1]) - 1, **options)
    assert before.log_loss[-1] > -50 * np.log(10)
    np.testing.assert_array_equal(run.steps, np.unique(run.steps))
    with pytest.warns(TrainingWarning, match=r"above the asked -50; take more steps"):
        short = train_two_layer(net, X, y, steps=10, until_log10_loss=-50.0, **options)
    assert not short.converged


@pytest.mark.usefixtures("as_a_user")
def test_each_of_a_batch_stops_at_the_asked_loss_by_itself() -> None:
    (X, y), rates = cosines(400), np.array([0.05, 0.2])
    nets = [TwoLayerNet(written_start(m=10, d=400), slope=0.5)] * 2
    runs = train_two_layer_batch(
        nets, X, y, step_size=rates, steps=8000, schedule="loss_based", until_log10_loss=-100.0
    )
    assert runs.converged
    for run, rate in zip(runs, rates, strict=True):
        alone = train_two_layer(
            nets[0],
            X,
            y,
            step_size=rate,
            steps=8000,
            schedule="loss_based",
            until_log10_loss=-100.0,
        )
        assert run.steps[-1] == alone.steps[-1]
        np.testing.assert_allclose(run.net.W, alone.net.W, atol=1e-12 * alone.norm[-1])
        assert np.all(np.diff(run.steps) > 0)
    assert runs[0].steps[-1] > 3 * runs[1].steps[-1]


@pytest.mark.parametrize("method", ["gram", "weights"])
def test_resuming_is_as_if_never_stopped(method: str) -> None:
    net, X, y = small(1, 0.2)
    options = {"step_size": 0.5, "schedule": "loss_based", "method": method}
    whole = train_two_layer(net, X, y, steps=800, **options)
    part = train_two_layer(net, X, y, steps=300, **options)
    rest = train_two_layer(net, X, y, steps=800, resume=part, **options)
    np.testing.assert_allclose(rest.net.W, whole.net.W, atol=1e-12 * whole.norm[-1])
    assert rest.steps[-1] == 800
    assert np.all(np.diff(rest.steps) > 0)
    assert set(part.steps) <= set(rest.steps)
    np.testing.assert_allclose(rest.log_time[-1], whole.log_time[-1], rtol=1e-13)
    assert rest.pattern_switches[-1] == whole.pattern_switches[-1]
    np.testing.assert_allclose(rest.net_at(3).W, part.net_at(3).W, rtol=1e-15)
    nothing = train_two_layer(net, X, y, steps=800, resume=rest, **options)
    np.testing.assert_array_equal(nothing.steps, rest.steps)
    np.testing.assert_array_equal(nothing.net.W, rest.net.W)


def test_a_batch_resumes() -> None:
    nets, data, labels, rates = _mixed_batch()
    options = {"step_size": rates, "schedule": "loss_based", "record_count": 8}
    whole = train_two_layer_batch(nets, data, labels, steps=400, **options)
    part = train_two_layer_batch(nets, data, labels, steps=150, **options)
    rest = train_two_layer_batch(nets, data, labels, steps=400, resume=part, **options)
    for one, other in zip(rest, whole, strict=True):
        np.testing.assert_allclose(one.net.W, other.net.W, atol=1e-12 * other.norm[-1])


@pytest.mark.parametrize("method", ["gram", "weights"])
def test_an_interruption_keeps_what_there_is(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ibtools.trainers.two_layer.gram as module

    net, X, y = small(1, 0.2)
    options = {"step_size": 0.5, "schedule": "loss_based", "method": method}
    whole = train_two_layer(net, X, y, steps=3000, **options)
    right, calls = module.log_sum, 0

    def pressed(terms: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 1800:  # in the middle of a block of steps
            raise KeyboardInterrupt
        return right(terms)

    monkeypatch.setattr(module, "log_sum", pressed)
    with pytest.warns(TrainingWarning, match=r"interrupted at step \d+ of 3000; resume="):
        run = train_two_layer(net, X, y, steps=3000, **options)
    monkeypatch.undo()
    assert not run.converged
    assert 1000 < run.steps[-1] < 1800
    again = train_two_layer(net, X, y, steps=int(run.steps[-1]), **options)
    np.testing.assert_allclose(run.net.W, again.net.W, atol=1e-12 * again.norm[-1])
    rest = train_two_layer(net, X, y, steps=3000, resume=run, **options)
    assert rest.converged
    np.testing.assert_allclose(rest.net.W, whole.net.W, atol=1e-12 * whole.norm[-1])


@pytest.mark.parametrize("method", ["gram", "weights"])
def test_a_step_that_is_too_large_is_reported(method: str) -> None:
    net, X, y = small(0, 0.3, n=6, d=3)
    with pytest.warns(TrainingWarning, match=r"overflowed at step \d+: step_size is too large"):
        run = train_two_layer(
            net, X, y, step_size=500.0, steps=50, loss="exponential", method=method
        )
    assert not run.converged
    assert np.isfinite(run.net.W).all()
    assert np.isfinite(run.norm).all()
    assert run.steps[-1] < 50
    # More contradicting samples than dimensions: the loss cannot fall for ever.
    X, y = np.array([[1.0, 0.2], [1.0, 0.1], [1.0, 0.0]]), np.array([1.0, -1.0, 1.0])
    net = TwoLayerNet(np.zeros((2, 2)), slope=0.5)
    with pytest.warns(TrainingWarning, match=r"log loss went from .* step_size is too large here"):
        run = train_two_layer(net, X, y, step_size=1e4, steps=10, method=method)
    assert not run.converged


def test_of_a_batch_only_those_that_overflow_stop() -> None:
    net, X, y = small(0, 0.3, n=6, d=3)
    with pytest.warns(TrainingWarning, match=r"1 of 2 runs, the first of which the weights over"):
        runs = train_two_layer_batch(
            [net, net], X, y, step_size=[500.0, 0.1], steps=50, loss="exponential"
        )
    assert [run.converged for run in runs] == [False, True]
    assert runs[1].steps[-1] == 50
    alone = train_two_layer(net, X, y, step_size=0.1, steps=50, loss="exponential")
    np.testing.assert_allclose(runs[1].net.W, alone.net.W, rtol=1e-12)


def test_no_steps_is_a_run_of_the_start() -> None:
    net, X, y = small(0, 0.3)
    run = train_two_layer(net, X, y, step_size=1.0, steps=0)
    assert len(run.steps) == 1
    assert run.converged
    np.testing.assert_array_equal(run.net.W, net.W)
    assert "1 records to step 0" in repr(run)


def test_one_sample_one_class_and_zero_weights() -> None:
    net = TwoLayerNet(np.zeros((4, 3)), slope=0.5)
    run = train_two_layer(
        net, np.array([[1.0, 2.0, 0.0]]), np.array([1.0]), step_size=1.0, steps=100
    )
    assert run.converged
    assert np.isnan(run.stable_rank[0])  # a zero matrix has none
    np.testing.assert_allclose(run.stable_rank[1:], 1.0, rtol=1e-12)
    X = np.random.default_rng(0).normal(size=(3, 10))
    run = train_two_layer(net_of(10), X, np.full(3, -1.0), step_size=1.0, steps=500)
    assert run.converged
    assert run.normalized_margin[-1] > 0


def net_of(d: int) -> TwoLayerNet:
    return TwoLayerNet.initialize(m=2, d=d, slope=0.3, scale=1e-2, seed=0)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"step_size": 0.0}, ValueError, "step_size must be greater than 0"),
        ({"step_size": np.nan}, ValueError, "step_size must be finite"),
        ({"steps": -1}, ValueError, "steps must be at least 0"),
        ({"steps": 1.5}, TypeError, "steps must be an integer"),
        ({"loss": "hinge"}, ValueError, "loss must be one of 'logistic', 'exponential'"),
        ({"schedule": "cosine"}, ValueError, "schedule must be one of 'constant', 'loss_based'"),
        ({"method": "magic"}, ValueError, "method must be one of 'gram', 'weights'"),
        ({"record_count": 0}, ValueError, "record_count must be at least 1"),
        ({"until_log10_loss": np.inf}, ValueError, "until_log10_loss must be finite"),
        ({"X": np.eye(3)}, ValueError, "X must have 7 columns"),
        ({"X": np.full((5, 7), np.nan)}, ValueError, "X must be finite"),
        ({"X": np.full((5, 7), 1e200)}, ValueError, "X is too large.*divide X"),
        ({"y": [0, 1, 0, 1, 0]}, ValueError, "labels 1 and -1 only"),
        ({"y": [1, -1]}, ValueError, "same number of rows"),
    ],
)
def test_bad_input_is_refused(change: dict, error: type, message: str) -> None:
    net, X, y = small(0, 0.3)
    arguments = {"X": X, "y": y, "step_size": 1.0, "steps": 3, **change}
    if "X" in change and change["X"].shape == (3, 3):
        arguments["y"] = [1, 1, -1]
    with pytest.raises(error, match=message):
        train_two_layer(net, **arguments)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nets": []}, "nets is empty"),
        ({"nets": [net_of(7), TwoLayerNet(np.ones((2, 7)), slope=0.1)]}, "same number of neurons"),
        ({"X": [np.ones((5, 7))] * 3}, "X must be one for all or one for each of the 2"),
        ({"y": [np.ones(5)] * 3}, "y must be one for all or one for each of the 2"),
        ({"X": [np.ones((5, 7)), np.ones((4, 7))], "y": [np.ones(5), np.ones(4)]}, "same number"),
        ({"step_size": [1.0, -1.0]}, "step_size must be greater than 0, got -1"),
        ({"step_size": [1.0, 1.0, 1.0]}, "step_size must have 2 entries"),
        ({"step_size": 0.0}, "step_size must be greater than 0"),
    ],
)
def test_bad_batches_are_refused(change: dict, message: str) -> None:
    _, X, y = small(0, 0.3)
    arguments = {"nets": [net_of(7)] * 2, "X": X, "y": y, "step_size": 1.0, "steps": 3, **change}
    with pytest.raises(ValueError, match=message):
        train_two_layer_batch(**arguments)


@pytest.mark.parametrize(
    "change",
    [
        lambda net, X, y: (net.replace(net.parameters * 1.01), X, y),
        lambda net, X, y: (TwoLayerNet(net.W, slope=0.4), X, y),
        lambda net, X, y: (net, 2 * X, y),
        lambda net, X, y: (net, X, -y),
    ],
)
def test_only_a_run_of_the_same_can_be_resumed(change: Callable) -> None:
    net, X, y = small(0, 0.3)
    part = train_two_layer(net, X, y, step_size=0.5, steps=20)
    with pytest.raises(ValueError, match="resume must be a run of the same network"):
        train_two_layer(*change(net, X, y), step_size=0.5, steps=40, resume=part)
    with pytest.raises(ValueError, match="by method='weights'"):
        train_two_layer(net, X, y, step_size=0.5, steps=40, resume=part, method="weights")
