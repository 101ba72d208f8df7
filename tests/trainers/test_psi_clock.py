"""The flow in the clock of ψ: closed forms, orders of accuracy, interruptions, warnings."""

import numpy as np
import pytest
import torch
from torch import nn

from ibtools.metrics.margins import inverse_loss
from ibtools.models import MLP, DeepLinear, Net, NotHomogeneousError, Residual
from ibtools.models.attention import SoftmaxAttention
from ibtools.theory.homogeneity import near_homogeneity
from ibtools.trainers import TrainingWarning, load_run
from ibtools.trainers.margins.problem import Problem
from ibtools.trainers.margins.psi import psi_flow

X = np.array([[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]])
Y = np.array([1.0, 1.0, -1.0])


def two_parameters(v: float = 0.5, w: float = 0.5) -> Net:
    """The net v(1 + w) at x = 1."""
    outer, inner = (nn.Linear(1, 1, bias=False, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        outer.weight.fill_(v)
        inner.weight.fill_(w)
    return Net(Residual(inner), outer)


def scalar(w: float) -> Net:
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.fill_(w)
    return Net(layer)


def psi_of(run: object) -> np.ndarray:
    return inverse_loss(run.log_loss, run.loss)


def test_the_hyperbola_of_two_parameters() -> None:
    net = two_parameters()
    h = near_homogeneity(net, radius=1.0)
    run = psi_flow(
        net, [[1.0]], [1.0], psi_step=0.5, method="rk4", until_psi=100, near_homogeneity=h
    )
    # ψ = e^(2s) − e^(−2s)/4 on v + 1 + w = 2e^s, v − 1 − w = −e^(−s)
    psi = psi_of(run)
    e = np.exp(_s(psi))
    w, v = run.states.T  # the skip's layer comes first
    np.testing.assert_allclose(v, e - 1 / (2 * e), rtol=1e-5)
    np.testing.assert_allclose(1 + w, e + 1 / (2 * e), rtol=1e-5)
    assert psi[-1] == pytest.approx(100, abs=1e-4)


def _s(psi: np.ndarray) -> np.ndarray:
    """Solve e^(2s) − e^(−2s)/4 = ψ."""
    return np.log((psi + np.sqrt(psi * psi + 1)) / 2) / 2


def test_time_is_exact_for_one_weight() -> None:
    # w' = e^(−w): t = e^w − e^(w₀), and the flow on log 𝓛 has w' = 1
    run = psi_flow(scalar(0.5), [[1.0]], [1.0], psi_step=1.0, until_psi=30.0)
    np.testing.assert_allclose(
        run.log_time[1:], np.log(np.exp(run.states[1:, 0]) - np.exp(0.5)), rtol=1e-12
    )
    np.testing.assert_allclose(run.effective_time, run.states[:, 0] - 0.5, rtol=1e-12)


def test_each_step_raises_psi_by_the_same() -> None:
    # for a linear net and one sample exactly; the last step is the rest
    run = psi_flow(scalar(0.5), [[2.0]], [1.0], psi_step=0.75, until_psi=10.0)
    np.testing.assert_allclose(np.diff(psi_of(run))[:-1], 0.75, rtol=1e-12)
    assert psi_of(run)[-1] == pytest.approx(10.0, abs=1e-12)
    assert run.steps.tolist() == list(range(13))


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_orders_of_accuracy(loss: str) -> None:
    net = DeepLinear(d=2, depth=3, seed=0)

    start = psi_flow(net, X, Y, loss=loss, psi_step=0.1, method="rk4", until_psi=3.0).net

    def end(method: str, rise: float) -> np.ndarray:
        return psi_flow(start, X, Y, loss=loss, psi_step=rise, method=method, until_psi=7.0).states[
            -1
        ]

    truth = end("rk4", 0.04)
    coarse, fine = (np.linalg.norm(end("euler", c) - truth) for c in (0.1, 0.05))
    assert coarse / fine == pytest.approx(2, rel=0.2, abs=0)
    coarse, fine = (np.linalg.norm(end("rk4", c) - truth) for c in (0.4, 0.2))
    assert coarse / fine > 9


def test_ten_classes() -> None:
    net = MLP([2, 8, 3], "squared_relu", seed=0)
    run = psi_flow(net, X, [0, 1, 2], loss="cross_entropy", until_psi=40.0)
    assert run.converged
    assert psi_of(run)[-1] == pytest.approx(40, abs=1e-3)
    assert run.minimum_margin[-1] >= 40


def test_the_start_is_not_changed_and_records_thin_out() -> None:
    net = DeepLinear(d=2, depth=2, seed=0)
    before = [p.clone() for p in net.parameters()]
    run = psi_flow(net, X, Y, until_psi=50.0, record_growth=1.5)
    assert all(bool((p == q).all()) for p, q in zip(net.parameters(), before, strict=True))
    late = psi_of(run)[psi_of(run) > 5]
    assert np.all(late[1:-1] / late[:-2] >= 1.5)
    assert psi_of(run)[-1] == pytest.approx(50, abs=1e-3)


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_resumed_is_as_if_not_stopped(method: str, tmp_path: object) -> None:
    net = DeepLinear(d=2, depth=2, seed=0)
    options = {"psi_step": 0.25, "method": method}
    with pytest.warns(TrainingWarning, match=r"max_steps=37"):
        part = psi_flow(net, X, Y, until_psi=30.0, max_steps=37, **options)
    part.save(tmp_path / "run.npz")
    whole = psi_flow(net, X, Y, until_psi=30.0, **options)
    for begun in (part, load_run(tmp_path / "run.npz", net)):
        resumed = psi_flow(net, X, Y, until_psi=30.0, resume=begun, **options)
        for name in ("steps", "log_loss", "norm", "log_time", "minimum_margin", "alignment"):
            np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))


def test_an_interruption_keeps_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    right, calls = Problem.descend_from, [0]

    def interrupted(self: Problem) -> object:
        calls[0] += 1
        if calls[0] == 50:
            raise KeyboardInterrupt
        return right(self)

    monkeypatch.setattr(Problem, "descend_from", interrupted)
    net = DeepLinear(d=2, depth=2, seed=0)
    run = psi_flow(net, X, Y, method="rk4", until_psi=1000.0)
    assert run.message == "interrupted"
    assert not run.converged
    flat = torch.cat([p.detach().reshape(-1) for p in run.net.parameters()]).numpy()
    np.testing.assert_array_equal(flat, run.states[-1])
    monkeypatch.undo()
    resumed = psi_flow(net, X, Y, method="rk4", until_psi=20.0, resume=run)
    whole = psi_flow(net, X, Y, method="rk4", until_psi=20.0)
    np.testing.assert_array_equal(resumed.log_loss, whole.log_loss)


def test_data_that_cannot_be_separated_end_with_a_warning() -> None:
    with pytest.warns(TrainingWarning, match=r"no step raises it, however short"):
        run = psi_flow(DeepLinear(d=1, depth=1, seed=0), [[1.0], [1.0]], [1.0, -1.0], until_psi=5.0)
    assert not run.converged
    assert np.isfinite(run.log_loss).all()


def test_no_gradient_at_all() -> None:
    with pytest.warns(TrainingWarning, match=r"the gradient is zero"):
        run = psi_flow(two_parameters(0.0, -1.0), [[1.0]], [1.0], until_psi=5.0)
    assert run.steps.tolist() == [0]


def test_a_net_without_a_known_order_needs_an_offset() -> None:
    tokens = np.array([[[1.0, 0.0], [0.2, 0.9], [-0.5, 0.4]]])
    with pytest.raises(NotHomogeneousError):
        psi_flow(SoftmaxAttention(2), tokens, [1.0])

    class GapBound:
        """A weighted mean of the ⟨v, x⟩ is within their range of another, 2 · 1.1 · ‖v‖."""

        order = 1
        of_differences = False

        def gap_bound(self, r: float) -> float:
            return 2.2 * r

    run = psi_flow(SoftmaxAttention(2), tokens, [1.0], until_psi=5.0, near_homogeneity=GapBound())
    assert run.converged
    assert run.order == 1


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"psi_step": 0.0}, r"psi_step must be greater than 0"),
        ({"psi_step": np.nan}, r"psi_step must be finite"),
        ({"until_psi": np.inf}, r"until_psi must be finite"),
        ({"method": "heun"}, r"method must be one of 'euler', 'rk4'"),
        ({"max_steps": 0}, r"max_steps must be at least 1"),
        ({"record_growth": 0.0}, r"record_growth must be greater than 0"),
        ({"loss": "hinge"}, r"loss must be one of"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        psi_flow(DeepLinear(d=2, depth=1, seed=0), X, Y, **options)


@pytest.mark.usefixtures("as_a_user")
def test_bad_starts() -> None:
    with pytest.raises(ValueError, match=r"outputs that are not finite at its start"):
        psi_flow(scalar(1e308), [[1e308]], [1.0])
    other = psi_flow(scalar(0.5), [[1.0]], [1.0], until_psi=2.0)
    other._progress["trainer"] = "descend"
    with pytest.raises(ValueError, match=r"resume must be a run of psi_flow, got one of descend"):
        psi_flow(scalar(0.5), [[1.0]], [1.0], resume=other)
