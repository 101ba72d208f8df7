"""What a run records, against its definitions at explicitly formed gradients."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ibtools.data import digits, three_points
from ibtools.metrics import margin_kkt
from ibtools.metrics.margins import inverse_loss
from ibtools.models.nets import MLP, DeepLinear, DiagonalClassifier, ResidualMLP
from ibtools.theory.homogeneity import near_homogeneity
from ibtools.theory.step_condition import (
    deep_linear_bounds,
    diagonal_bounds,
    log_descent_step_bound,
)
from ibtools.trainers import TrainingWarning, descend, margin_flow, psi_flow
from ibtools.trainers.margins.growth import GapBound
from ibtools.trainers.margins.records import Recorder
from ibtools.trainers.margins.runs import MarginRun, Restorer, load_run

TOY_X, TOY_Y = three_points()
CLASSES = np.array([0, 1, 2])


def small(outputs: int = 1) -> MLP:
    return MLP([2, 5, outputs], "squared_relu", scale=0.3, seed=0)


RUNS = {
    "exponential": (small(), TOY_Y),
    "logistic": (small(), TOY_Y),
    "cross_entropy": (MLP([2, 5, 3], "squared_relu", seed=0), CLASSES),
}


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest) -> MarginRun:
    net, y = RUNS[request.param]
    return margin_flow(net, TOY_X, y, loss=request.param, until_log10_loss=-60)


def margins_and_gradients(net: nn.Module, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all margins, (m,), and their gradients in the parameters, (m, p), one by one."""
    parameters = list(net.parameters())
    values, rows = [], []
    for x, label in zip(torch.tensor(TOY_X), y, strict=True):
        outputs = net(x[None])
        if outputs.ndim == 1:
            each = [label * outputs[0]]
        else:
            own = outputs[0, int(label)]
            each = [own - outputs[0, j] for j in range(outputs.shape[1]) if j != label]
        for margin in each:
            pieces = torch.autograd.grad(margin, parameters, retain_graph=True)
            values.append(float(margin.detach()))
            rows.append(torch.cat([p.reshape(-1) for p in pieces]).numpy())
    return np.array(values), np.array(rows)


def weights_of(margins: np.ndarray, loss: str) -> np.ndarray:
    """Return v, the weights of the margins' gradients in −∇log 𝓛."""
    if loss == "exponential":
        terms = np.exp(-margins)
        return terms / terms.sum()
    groups = np.exp(-margins).reshape(3, -1)
    inner = groups.sum(1, keepdims=True)
    return (groups / (1 + inner)).reshape(-1) / np.log1p(inner).sum()


def test_columns_are_what_they_are_called(run: MarginRun) -> None:
    y = RUNS[run.loss][1]
    for i in (0, len(run.steps) // 3, len(run.steps) - 1):
        net = run.net_at(i)
        margins, J = margins_and_gradients(net, y)
        theta = run.states[i]
        pull = weights_of(margins, run.loss) @ J
        assert run.norm[i] == pytest.approx(np.linalg.norm(theta), rel=1e-13, abs=0)
        assert run.minimum_margin[i] == pytest.approx(margins.min(), rel=1e-12, abs=0)
        assert run.gradient_norm[i] == pytest.approx(np.linalg.norm(pull), rel=1e-11, abs=0)
        beta = theta @ pull / np.linalg.norm(theta) / np.linalg.norm(pull)
        assert run.gradient_alignment[i] == pytest.approx(beta, abs=1e-12)
        slack = weights_of(margins, run.loss) @ (margins - margins.min())
        assert run.slack[i] == pytest.approx(slack, rel=1e-10, abs=1e-13)
        layers = [float(p.detach().norm()) for p in net.parameters()]
        np.testing.assert_allclose(run.layer_norms[i], layers, rtol=1e-13)
    assert run.exponents == (2, 1)
    assert run.order == 3
    np.testing.assert_allclose(run.log10_inverse_loss, -run.log_loss / np.log(10))


def test_the_kkt_residual_is_the_distance_from_stationarity(run: MarginRun) -> None:
    y = RUNS[run.loss][1]
    on = np.flatnonzero(run.minimum_margin > 0)
    assert np.isnan(run.stationarity[run.minimum_margin <= 0]).all()
    for i in (on[0], on[len(on) // 2], on[-1]):
        margins, J = margins_and_gradients(run.net_at(int(i)), y)
        v, L = weights_of(margins, run.loss), run.order
        q, rho = margins.min(), run.norm[i]
        unit = run.states[i] / q ** (1 / L)
        gradients = J / q ** ((L - 1) / L)  # at θ̃, where they are homogeneous of order L − 1
        multipliers = q ** (1 - 2 / L) * rho * v / np.linalg.norm(v @ J)
        residual = float(np.linalg.norm(unit - multipliers @ gradients))
        # √(1 − β) loses half the digits of β next to 1.
        assert run.stationarity[i] == pytest.approx(
            residual, abs=1e-7 if residual < 1e-4 else 1e-12
        )
        delta = multipliers @ (margins / q - 1)
        assert run.complementarity[i] == pytest.approx(delta, rel=1e-9, abs=1e-13)
        beta = run.gradient_alignment[i]
        assert run.stationarity[i] == pytest.approx(
            np.sqrt(2 * (1 - beta)) * run.normalized_margin[i] ** (-1 / L), rel=1e-12, abs=0
        )


def test_complementarity_is_below_its_bound() -> None:
    run = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-200)
    on = run.log_loss < 0
    bound = 3 / (np.e * 3 * run.smoothed_margin[on] ** (2 / 3) * -run.log_loss[on])
    assert np.all(run.complementarity[on] <= bound)


def test_the_alignment_is_with_the_displacement_since_the_last_record(run: MarginRun) -> None:
    moved, here = np.diff(run.states, axis=0), run.states[1:]
    cosine = np.sum(moved * here, axis=1) / np.linalg.norm(moved, axis=1) / run.norm[1:]
    np.testing.assert_allclose(run.alignment[1:], cosine, rtol=1e-10)
    assert np.isnan(run.alignment[0])


def test_margins_of_a_run_are_those_of_its_columns(run: MarginRun) -> None:
    np.testing.assert_allclose(run.normalized_margin, run.minimum_margin / run.norm**3)
    product = run.layer_norms[:, 0] ** 2 * run.layer_norms[:, 1]
    np.testing.assert_allclose(run.layer_product_margin, run.minimum_margin / product)
    # Of all ways to split a norm, one makes the product of layers largest.
    assert np.all(
        np.abs(run.layer_product_margin) >= np.abs(run.normalized_margin) * 3**1.5 / 2 * (1 - 1e-12)
    )


def test_a_layer_product_needs_layers_that_scale_alone() -> None:
    net = ResidualMLP(2, 2, activation="relu", seed=0)
    run = psi_flow(net, TOY_X, TOY_Y, until_psi=2)
    assert run.exponents is None
    with pytest.raises(ValueError, match="layers can be scaled one by one"):
        _ = run.layer_product_margin


# ------------------------------------------------------------------ γ̂ of gradient descent


@pytest.mark.parametrize(
    ("net", "bounds"),
    [
        (DeepLinear(2, 1, seed=0), deep_linear_bounds(TOY_X, depth=1)),
        (DiagonalClassifier([0.6, 0.5], [0.1, 0.2]), diagonal_bounds(TOY_X)),
        (DeepLinear(2, 3, seed=0), deep_linear_bounds(TOY_X, depth=3)),
    ],
)
def test_the_modified_margin_of_descent_within_the_step_condition_never_falls(
    net: nn.Module, bounds: tuple
) -> None:
    start = margin_flow(net, TOY_X, TOY_Y, until_log10_loss=-0.9)
    net, first = start.net, float(start.log_loss[-1])
    assert first <= -2
    with pytest.warns(TrainingWarning, match="max_epochs=1 reached"):
        one = descend(net, TOY_X, TOY_Y, step_size=1e-9, max_epochs=1)
    allowed = {
        "order": one.order,
        "initial_log_loss": first,
        "initial_modified_margin": float(one.modified_margin[0]),
        "initial_norm": float(one.norm[0]),
        "bounds": bounds,
    }
    step = math.exp(log_descent_step_bound(first, **allowed))
    with pytest.warns(TrainingWarning, match="max_epochs=400 reached"):
        run = descend(net, TOY_X, TOY_Y, step_size=step, max_epochs=400, record_growth=1)
    # The condition lets steps grow as the loss falls.
    assert math.log(step) <= log_descent_step_bound(float(run.log_loss[-1]), **allowed)
    assert run.log_loss[-1] < first - 0.1
    margin = run.modified_margin
    assert np.isfinite(margin).all()
    assert np.all(np.diff(margin) > 0)
    assert run.smoothed_margin_drops[-1] == 0


def test_the_modified_margin_is_not_there_before_it_applies() -> None:
    run = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-5)
    before = run.log_loss > -2
    np.testing.assert_array_equal(np.isnan(run.modified_margin), before)
    assert before[0]


def test_the_modified_margin_of_a_homogeneous_net_is_for_the_exponential_loss() -> None:
    run = margin_flow(small(), TOY_X, TOY_Y, loss="logistic", until_log10_loss=-1)
    with pytest.raises(ValueError, match=r"modified_margin .* got 'logistic'; use smoothed_margin"):
        _ = run.modified_margin


# ------------------------------------------------------------------ records, files


class Gap:
    """A constant bound p_a."""

    order = 3
    of_differences = False

    def gap_bound(self, r: float) -> float:
        return 0.5 + 0.0 * r


def test_a_run_is_written_and_read(run: MarginRun, tmp_path: Path) -> None:
    path = tmp_path / "a.run.npz"
    path.write_bytes(b"an older one")
    run.save(path)
    again = load_run(path, RUNS[run.loss][0])
    for name in ("steps", "log_loss", "layer_norms", "alignment", "smoothed_margin_drops"):
        np.testing.assert_array_equal(getattr(again, name), getattr(run, name))
        assert getattr(again, name).dtype == getattr(run, name).dtype
    for name in ("order", "exponents", "loss", "converged", "message", "_progress"):
        assert getattr(again, name) == getattr(run, name)
    for p, q in zip(again.net.parameters(), run.net.parameters(), strict=True):
        assert torch.equal(p, q)
    np.testing.assert_array_equal(again.stationarity, run.stationarity)
    assert [p.name for p in tmp_path.iterdir()] == ["a.run.npz"]
    with pytest.raises(ValueError, match="too many to keep"):
        _ = again.states


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    run: MarginRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.save(tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()

    def full(file: object, **_: object) -> None:
        file.write(b"half of it")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space left"):
        run.save(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before


def test_the_wrong_file_or_net_is_told(run: MarginRun, tmp_path: Path) -> None:
    run.save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"net has 4 parameters, got \d+ of them"):
        load_run(tmp_path / "a.npz", DiagonalClassifier([1.0, 1.0], [1.0, 1.0]))
    with pytest.raises(FileNotFoundError):
        load_run(tmp_path / "b.npz", small())
    np.savez(tmp_path / "b.npz", weights=np.ones(3))
    (tmp_path / "c.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:500])
    (tmp_path / "d.npz").write_text("no archive")
    (tmp_path / "e.npz").write_bytes(b"")
    (tmp_path / "f.npz").mkdir()
    for name in "bcdef":
        with pytest.raises(ValueError, match=r"path must name a file that MarginRun\.save wrote"):
            load_run(tmp_path / f"{name}.npz", small())
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none to write a\.npz in"):
        run.save(tmp_path / "none" / "a.npz")
    with pytest.raises(IsADirectoryError, match=r"f\.npz is a folder; name a file in it"):
        run.save(tmp_path / "f.npz")


def test_the_offset_is_asked_for_again(tmp_path: Path) -> None:
    run = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-3, near_homogeneity=Gap())
    assert isinstance(Gap(), GapBound)
    run.save(tmp_path / "a.npz")
    with pytest.raises(
        ValueError, match=r"near_homogeneity must be given .* this one was made with"
    ):
        load_run(tmp_path / "a.npz", small())
    again = load_run(tmp_path / "a.npz", small(), near_homogeneity=Gap())
    np.testing.assert_array_equal(again.modified_margin, run.modified_margin)
    margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-3).save(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="this one was made without"):
        load_run(tmp_path / "b.npz", small(), near_homogeneity=Gap())


def test_no_modified_margin_where_none_is_known_to_grow() -> None:
    net = MLP([2, 3, 1], "gelu", bias=True, seed=0)
    run = descend(net, TOY_X, TOY_Y, loss="exponential", schedule="armijo", until_log10_loss=-3)
    with pytest.raises(ValueError, match=r"only nearly homogeneous .* needs the bound p_a; give"):
        _ = run.modified_margin


def test_bounds_on_single_outputs_do_not_serve_cross_entropy() -> None:
    net = MLP([2, 3, 2], "gelu", bias=True, seed=0)
    h = near_homogeneity(net, radius=10.0)
    classes = (TOY_Y > 0).astype(int)
    for train in (descend, margin_flow, psi_flow):
        with pytest.raises(
            ValueError, match=r"pass its bounds on differences, near_homogeneity\.differences"
        ):
            train(net, TOY_X, classes, loss="cross_entropy", near_homogeneity=h)
    run = margin_flow(
        net,
        TOY_X,
        classes,
        loss="cross_entropy",
        until_log10_loss=-3,
        near_homogeneity=h.differences(),
    )
    psi = inverse_loss(run.log_loss, "cross_entropy")
    expected = (psi - math.sqrt(2) * h.gap_bound(run.norm)) / run.norm**2
    np.testing.assert_allclose(run.modified_margin, expected, rtol=1e-12)


def test_a_file_holds_no_code(run: MarginRun, tmp_path: Path) -> None:
    run.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert json.loads(str(file["facts"]))["loss"] == run.loss
        assert all(file[name].dtype != object for name in file)


def test_nets_along_the_way(run: MarginRun) -> None:
    for p, q in zip(run.net_at(-1).parameters(), run.net.parameters(), strict=True):
        assert torch.equal(p, q)
    start = RUNS[run.loss][0]
    for p, q in zip(run.net_at(0).parameters(), start.parameters(), strict=True):
        assert torch.equal(p, q)
    with pytest.raises(IndexError):
        run.net_at(len(run.steps))


def test_what_a_run_says_of_itself(run: MarginRun) -> None:
    loss = -run.log10_inverse_loss[-1]
    assert repr(run).startswith(f"MarginRun({run.steps[-1]} steps, log10 loss {loss:.6g}, ")
    assert "converged=True: the asked loss is reached" in repr(run)


def test_many_parameters_are_not_kept_and_the_alignment_still_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ibtools.trainers.margins import records

    whole = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-20)
    monkeypatch.setattr(records, "_KEPT", 15 * 4)
    run = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-20)
    np.testing.assert_array_equal(run.alignment, whole.alignment)
    with pytest.raises(ValueError, match="too many to keep"):
        run.net_at(0)


def test_a_recorder_holds_no_parameters_that_it_need_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from ibtools.trainers.margins import records

    monkeypatch.setattr(records, "_KEPT", 10)
    recorder = Recorder()
    values = dict.fromkeys([name for name in records.SCALARS if name != "alignment"], 0.0)
    for i in range(6):
        recorder.add(np.full(4, i + 1.0), np.ones(1), **values)
    assert [flat is None for _, _, flat in recorder._records] == [True] * 4 + [False] * 2
    recorder.cut(3)
    assert len(recorder) == 3
    assert recorder.columns()["_states"] is None


def test_a_restorer_makes_new_nets() -> None:
    net = small()
    restore = Restorer(net)
    size = sum(p.numel() for p in net.parameters())
    made = restore(np.arange(float(size)))
    assert made is not net
    np.testing.assert_array_equal(
        np.concatenate([p.detach().numpy().ravel() for p in made.parameters()]), np.arange(size)
    )
    with pytest.raises(ValueError, match=f"net has {size} parameters, got 3 of them"):
        restore(np.ones(3))


def test_stationarity_may_rise_while_the_best_multipliers_fall():
    """The numbers of its docstring."""
    X, y = digits(classes=(3, 8), per_class=5, seed=0)
    run = margin_flow(MLP([64, 4, 1], seed=0), X, y, until_log10_loss=-14)
    at = [int(np.argmin(abs(run.log10_inverse_loss - power))) for power in (12.85, 14.17)]
    assert [f"{10 ** -run.log10_inverse_loss[i]:.0e}" for i in at] == ["1e-13", "7e-15"]
    best = [margin_kkt(run.net_at(i), X, y).stationarity for i in at]
    assert [f"{run.stationarity[i]:.2f}" for i in at] == ["0.59", "0.61"]
    assert [f"{one:.2f}" for one in best] == ["0.54", "0.52"]
