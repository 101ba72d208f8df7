"""The implicit flow against an ODE solver, the constants of the theory, and how runs end."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

from ibtools.data import digits, three_points, xor
from ibtools.metrics.margins import loss_threshold
from ibtools.models.homogeneity import NotHomogeneousError
from ibtools.models.nets import MLP, ConvNet, DeepLinear, DiagonalClassifier, Net
from ibtools.trainers import TrainingWarning, descend
from ibtools.trainers.margins import implicit
from ibtools.trainers.margins.implicit import margin_flow
from ibtools.trainers.margins.problem import Problem
from ibtools.trainers.margins.records import Recorder
from ibtools.trainers.margins.runs import MarginRun, load_run

TOY_X, TOY_Y = three_points()
GAMMA = 7 / np.sqrt(13)
CLASSES = np.array([0, 1, 2])


def small(outputs: int = 1, scale: float = 0.3) -> MLP:
    return MLP([2, 5, outputs], "squared_relu", scale=scale, seed=0)


def zeroed(net: nn.Module) -> nn.Module:
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    return net


def quietly(*arguments: object, **options: object) -> MarginRun:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return margin_flow(*arguments, **options)


def at_log_loss(run: MarginRun, column: np.ndarray, log_loss: float) -> np.ndarray:
    """Return a column where the run passed `log_loss`, between records on a line."""
    i = int(np.argmax(run.log_loss <= log_loss))
    share = (run.log_loss[i - 1] - log_loss) / (run.log_loss[i - 1] - run.log_loss[i])
    return (1 - share) * column[i - 1] + share * column[i]


# ------------------------------------------------------------------ against gradient flow itself


def true_flow(
    net: nn.Module, y: np.ndarray, loss: str, until: float
) -> tuple[np.ndarray, float, float]:
    """Solve dθ/dτ = −∇log 𝓛, dt/dτ = 1/𝓛: the direction, τ and log t at which log 𝓛 = `until`."""
    problem = Problem(net, TOY_X, y, loss)

    def field(_: float, state: np.ndarray) -> np.ndarray:
        problem.flat.copy_(torch.tensor(state[:-1]))
        at, gradient = problem.descend_from()
        return np.append(-gradient.numpy(), np.exp(-at.log_loss))

    def left(_: float, state: np.ndarray) -> float:
        return problem.evaluate(torch.tensor(state[:-1])).log_loss - until

    left.terminal = True
    start = np.append(problem.flat.numpy(), 0.0)
    solved = solve_ivp(field, (0, 1e3), start, method="DOP853", rtol=1e-9, atol=1e-11, events=left)
    theta = solved.y[:-1, -1]
    return theta / np.linalg.norm(theta), float(solved.t[-1]), float(np.log(solved.y[-1, -1]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "y", "loss"),
    [
        (small(), TOY_Y, "exponential"),
        (small(), TOY_Y, "logistic"),
        (small(3, 1.0), CLASSES, "cross_entropy"),
        (DiagonalClassifier([0.3, 0.2], [0.2, 0.4]), TOY_Y, "logistic"),
    ],
)
def test_the_path_is_that_of_gradient_flow_to_first_order(
    net: nn.Module, y: np.ndarray, loss: str
) -> None:
    until = -5.0
    direction, tau, log_t = true_flow(net, y, loss, until)
    errors = []
    for relative_step in (0.04, 0.02, 0.01):
        run = margin_flow(
            net, TOY_X, y, loss=loss, until_log10_loss=-3, relative_step=relative_step
        )
        states = run.states / run.norm[:, None]
        errors.append(
            [
                float(np.linalg.norm(at_log_loss(run, states, until) - direction)),
                abs(float(at_log_loss(run, run.effective_time, until)) / tau - 1),
                abs(float(at_log_loss(run, run.log_time, until)) - log_t),
            ]
        )
    coarse, middle, fine = np.array(errors)
    # Of first order: half the step, half the error. The time of 𝓛 may be better than that.
    assert np.all(coarse < 0.1), errors
    ratios = np.array([coarse / middle, middle / fine])
    assert np.all((ratios[:, :2] > 1.7) & (ratios[:, :2] < 2.2)), (ratios, errors)
    assert fine[2] < max(0.6 * middle[2], 2e-3), errors


def test_reference_1_the_constants_of_the_flow_on_three_points() -> None:
    run = margin_flow(
        zeroed(DeepLinear(d=2, depth=1, seed=0)), TOY_X, TOY_Y,
        until_log10_loss=-30_000, relative_step=0.1,
    )  # fmt: skip
    log_t = run.log_time[-1]
    w = run.net.predictor
    np.testing.assert_allclose(
        w - np.array([3, 2]) / 7 * log_t, [0.95794966, 0.36832303], rtol=0, atol=1e-8
    )
    assert run.log_loss[-1] + log_t + 2 * np.log(GAMMA) == pytest.approx(0.0, abs=1e-10)
    relative = 1 - np.array([run.normalized_margin[-1], run.smoothed_margin[-1]]) / GAMMA
    np.testing.assert_allclose(relative * log_t, [0.249517, 0.617242], rtol=1e-4)
    assert run.smoothed_margin_drops[-1] == 0


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_reference_4_deep_linear_nets_reach_the_largest_margin(depth: int) -> None:
    run = margin_flow(DeepLinear(2, depth, seed=1), TOY_X, TOY_Y, until_log10_loss=-1e6)
    gap = 1 - run.normalized_margin * depth ** (depth / 2) / GAMMA
    early, late = (at_log_loss(run, gap, -np.log(10) * below) for below in (1e4, 9e5))
    # The gap is a power of log 1/𝓛, the −2/Lth.
    slope = np.log(early / late) / np.log(90)
    assert slope == pytest.approx(2 / depth, abs=0.04)
    assert 0 < late < {2: 1e-6, 3: 5e-5, 4: 2e-3}[depth]
    product = 1 - run.layer_product_margin[-1] / GAMMA
    assert 0 < product < 1.01 * gap[-1]


def test_reference_3_the_diagonal_classifier_reaches_the_largest_margin_in_l1() -> None:
    X = np.array([[2.0, 1.0, 0.2], [1.0, 2.0, 0.2]])
    net = DiagonalClassifier([0.5, 0.5, 0.5], [0.4, 0.4, 0.4])
    run = margin_flow(net, X, [1.0, 1.0], until_log10_loss=-1e5)
    assert run.normalized_margin[-1] == pytest.approx(1.5, abs=1e-3)


# ------------------------------------------------------------------ digits


def reference_net() -> MLP:
    """Return the squared-ReLU net of reference 5, drawn as it says."""
    source = torch.Generator().manual_seed(0)
    first = torch.randn(20, 64, generator=source, dtype=torch.float64) * np.sqrt(2 / 64) * 0.3
    second = torch.randn(1, 20, generator=source, dtype=torch.float64) * np.sqrt(2 / 20) * 0.3
    net = MLP([64, 20, 1], "squared_relu", seed=0)
    with torch.no_grad():
        net.layers[0].weight.copy_(first)
        net.layers[2].weight.copy_(second)
    return net


def test_reference_5_margins_of_a_net_on_digits() -> None:
    X, y = digits(classes=(3, 8))
    run = margin_flow(reference_net(), X, y, until_log10_loss=-1e6, relative_step=0.05)
    assert run.converged
    assert run.smoothed_margin_drops[-1] == 0
    for below, expected, tolerance in [
        (10, 0.146, 1e-3), (100, 0.1755, 1e-3), (1000, 0.1829, 1e-4),
        (10_000, 0.1845, 1e-4), (1_000_000, 0.18489, 1e-5),
    ]:  # fmt: skip
        margin = at_log_loss(run, run.normalized_margin, -below * np.log(10))
        assert margin == pytest.approx(expected, abs=tolerance)
    # The distance to a KKT point falls as 1/ρ.
    residual = run.stationarity
    late = run.log10_inverse_loss > 100
    assert np.all(np.diff(residual[late]) < 0.02 * residual[late][:-1])
    assert residual[-1] < 0.02
    assert 0 < run.complementarity[-1] < 1e-5


def test_reference_2_a_linear_model_on_digits_in_few_evaluations() -> None:
    X, y = digits(classes=(3, 8))
    run = margin_flow(zeroed(MLP([64, 1], seed=0)), X, y, until_log10_loss=-1e8)
    gap = 1 - run.normalized_margin / 0.207440406931
    assert np.nanmin(gap) > -1e-12
    assert gap[-1] < 1e-8
    assert run.evaluations[int(np.argmax(gap < 1e-6))] <= 85


@pytest.mark.slow
def test_ten_classes_of_digits_to_a_tiny_loss() -> None:
    X, y = digits()
    net = MLP([64, 16, 10], "squared_relu", seed=0)
    run = margin_flow(net, X, y, loss="cross_entropy", until_log10_loss=-100)
    assert run.converged
    assert run.steps[-1] < 80
    assert_margins_in_order(run, len(y) * 9)
    assert np.all(np.diff(run.log_loss) < 0)


# ------------------------------------------------------------------ laws


def assert_margins_in_order(run: MarginRun, margins: int) -> None:
    """Check γ̃ ≤ γ̄ ≤ γ̃ + log n/ρ^L, and that γ̃ never fell below the threshold."""
    below = run.log_loss < loss_threshold(run.loss)
    smoothed, normalized = run.smoothed_margin[below], run.normalized_margin[below]
    room = np.log(margins) / run.norm[below] ** run.order
    assert np.all(smoothed <= normalized * (1 + 1e-13))
    assert np.all(normalized <= (smoothed + room) * (1 + 1e-13))
    assert np.all(np.diff(smoothed) >= -1e-14 * smoothed[1:])
    assert run.smoothed_margin_drops[-1] == 0


@pytest.mark.parametrize(
    ("net", "y", "loss"),
    [
        (small(), TOY_Y, "exponential"),
        (small(), TOY_Y, "logistic"),
        (small(3, 1.0), CLASSES, "cross_entropy"),
        (MLP([2, 9, 1], "relu", bias="first", seed=0), TOY_Y, "exponential"),
        (DeepLinear(2, 3, seed=0), TOY_Y, "logistic"),
    ],
)
def test_the_smoothed_margin_climbs_to_the_normalized_one(
    net: nn.Module, y: np.ndarray, loss: str
) -> None:
    run = margin_flow(net, TOY_X, y, loss=loss, until_log10_loss=-1000)
    assert run.converged
    assert_margins_in_order(run, 6 if loss == "cross_entropy" else 3)
    assert run.smoothed_margin[-1] == pytest.approx(run.normalized_margin[-1], rel=1e-3, abs=0)
    assert np.all(np.diff(run.log_time) > 0)
    assert np.all(np.diff(run.effective_time) > 0)


def test_a_step_is_at_most_as_long_as_asked() -> None:
    run = margin_flow(small(), TOY_X, TOY_Y, relative_step=0.02, until_log10_loss=-50)
    lengths = np.linalg.norm(np.diff(run.states, axis=0), axis=1) / run.norm[:-1]
    assert lengths.max() <= 0.02 * (1 + 1e-12)
    assert np.median(lengths) > 0.015
    assert run.evaluations[-1] < 1.2 * run.steps[-1]


# Other losses take other lengths of steps with a narrow window, which is another path.
@pytest.mark.parametrize(
    ("name", "value", "loss"),
    [
        ("_FEW", 0, "exponential"),
        ("_FEW", 0, "logistic"),
        ("_FEW", 0, "cross_entropy"),
        ("_DECAY", 1e-3, "exponential"),
    ],
)
def test_how_many_margins_a_step_works_with_changes_nothing(
    name: str, value: float, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, y = (small(3, 1.0), CLASSES) if loss == "cross_entropy" else (small(), TOY_Y)
    monkeypatch.setattr(implicit, "_SHARE", 1e-5)
    run = margin_flow(net, TOY_X, y, loss=loss, until_log10_loss=-30)
    half = margin_flow(net, TOY_X, y, loss=loss, until_log10_loss=-30, relative_step=0.025)
    monkeypatch.setattr(implicit, name, value)
    other = margin_flow(net, TOY_X, y, loss=loss, until_log10_loss=-30)
    assert len(other.steps) == len(run.steps)
    at = np.linspace(2, 29, 10)
    margins, of_half, of_other = (
        np.interp(at, one.log10_inverse_loss, one.normalized_margin) for one in (run, half, other)
    )
    # The steps' lengths are not all the same; what that adds is within the error of such steps.
    assert np.abs(of_other - margins).max() < 0.15 * np.abs(of_half - margins).max()


@pytest.mark.parametrize("relative_step", [0.3, 1.0, 3.0])
def test_the_smoothed_margin_climbs_with_steps_of_any_length(relative_step: float) -> None:
    X, y = digits(classes=(3, 8), per_class=15, seed=0)
    net = MLP([64, 5, 1], "squared_relu", scale=0.3, seed=0)
    run = quietly(net, X, y, until_log10_loss=-1e4, relative_step=relative_step, max_steps=200)
    assert run.log10_inverse_loss[-1] > 20
    assert_margins_in_order(run, 30)


def test_images_are_taken_as_they_are() -> None:
    X = np.zeros((4, 1, 4, 4))
    X[[0, 1], 0, :2] = 1.0
    X[[2, 3], 0, 2:] = 1.0
    X[[1, 3], 0, :, 0] += 0.5
    net = ConvNet((1, 4, 4), [[3]], activation="leaky_relu", bias="first", seed=0)
    run = quietly(net, X, [1, 1, -1, -1], until_log10_loss=-30)
    assert run.log10_inverse_loss[-1] > 1
    assert run.smoothed_margin_drops[-1] == 0


def test_the_order_of_samples_and_of_classes_does_not_matter() -> None:
    net = small(3, 1.0)
    run = margin_flow(net, TOY_X, CLASSES, loss="cross_entropy", until_log10_loss=-50)
    mixed = margin_flow(
        net, TOY_X[[2, 0, 1]], CLASSES[[2, 0, 1]], loss="cross_entropy", until_log10_loss=-50
    )
    np.testing.assert_allclose(mixed.normalized_margin, run.normalized_margin, rtol=1e-6)
    other = small(3, 1.0)
    with torch.no_grad():
        other.layers[2].weight.copy_(net.layers[2].weight[[1, 2, 0]])
    renamed = margin_flow(other, TOY_X, [2, 0, 1], loss="cross_entropy", until_log10_loss=-50)
    np.testing.assert_allclose(renamed.normalized_margin, run.normalized_margin, rtol=1e-6)


def test_two_classes_by_cross_entropy_are_the_logistic_loss_of_the_difference() -> None:
    one = DeepLinear(2, 1, seed=0)
    two = DeepLinear(2, 1, outputs=2, seed=0)
    w = one.layers[0].weight.detach()
    with torch.no_grad():
        two.layers[0].weight.copy_(torch.cat([w, -w]) / np.sqrt(2))
    options = {"until_log10_loss": -100, "relative_step": 0.2}
    run = margin_flow(one, TOY_X, TOY_Y, loss="logistic", **options)
    y = (TOY_Y < 0).astype(int)
    pair = margin_flow(two, TOY_X, y, loss="cross_entropy", **options)
    # Φ₀ − Φ₁ = ⟨√2 w, x⟩ with the norm of both rows together that of w: margins are √2 as large.
    k = int(np.argmax(pair.log10_inverse_loss >= 90))
    expected = np.sqrt(2) * at_log_loss(run, run.normalized_margin, pair.log_loss[k])
    assert pair.normalized_margin[k] == pytest.approx(expected, rel=1e-3, abs=0)


def test_single_precision_nets_are_followed() -> None:
    net = MLP([2, 5, 1], "squared_relu", scale=0.3, seed=0, dtype=torch.float32)
    run = margin_flow(net, TOY_X, TOY_Y, until_log10_loss=-200)
    double = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-200)
    assert run.normalized_margin[-1] == pytest.approx(double.normalized_margin[-1], rel=1e-2, abs=0)
    assert next(run.net.parameters()).dtype == torch.float32


# ------------------------------------------------------------------ nearly homogeneous nets


def test_with_an_offset_the_modified_margin_never_falls() -> None:
    net = MLP([2, 6, 1], "softplus", seed=0)

    @dataclass
    class Softplus:
        order: int = 2
        of_differences: bool = False

        def gap_bound(self, r: object) -> object:
            return np.sqrt(6) * np.log(2) * np.asarray(r)

    run = margin_flow(net, TOY_X, TOY_Y, until_log10_loss=-300, near_homogeneity=Softplus())
    assert run.order == 2
    margin = run.modified_margin
    expected = (-run.log_loss - np.sqrt(6) * np.log(2) * run.norm) / run.norm**2
    np.testing.assert_allclose(margin, expected, rtol=1e-12)
    on = margin > 0
    assert on.sum() > 10
    assert np.all(np.diff(margin[on]) >= -1e-14)
    fell = (np.diff(run.smoothed_margin) < -2e-15) & (run.log_loss[:-1] < 0)
    assert run.smoothed_margin_drops[-1] == fell.sum()


# ------------------------------------------------------------------ how runs end


def test_a_flow_that_slides_along_a_kink_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = xor()
    run = margin_flow(MLP([2, 8, 1], "relu", seed=1), X, y, until_log10_loss=-1000)
    assert run.converged
    assert run.smoothed_margin_drops[-1] == 0
    monkeypatch.setattr(implicit, "_CUTS", 0)
    with pytest.warns(TrainingWarning, match="no step is accepted any more: .* kink of the net"):
        run = margin_flow(MLP([2, 8, 1], "relu", seed=1), X, y, until_log10_loss=-1000)
    assert run.smoothed_margin_drops[-1] == 0
    assert run.log_loss[-1] == Problem(run.net, X, y, "exponential").evaluate().log_loss


def test_the_largest_number_of_steps_is_told() -> None:
    with pytest.warns(TrainingWarning, match="asked for -100: max_steps=4 reached"):
        run = margin_flow(small(), TOY_X, TOY_Y, max_steps=4)
    assert run.steps.tolist() == [0, 1, 2, 3, 4]


def test_from_zero_a_linear_model_leaves_and_a_deep_one_does_not() -> None:
    run = margin_flow(zeroed(DeepLinear(2, 1, seed=0)), TOY_X, TOY_Y, until_log10_loss=-100)
    assert run.converged
    with pytest.warns(TrainingWarning, match="all parameters are zero; start from weights"):
        run = margin_flow(zeroed(small()), TOY_X, TOY_Y)
    assert run.steps.tolist() == [0]
    assert np.isnan(run.normalized_margin[0])


def test_data_that_no_net_separates_end_at_the_least_loss() -> None:
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    with pytest.warns(TrainingWarning, match="no step is accepted|gradient is zero|max_steps"):
        run = margin_flow(DeepLinear(2, 1, seed=0), X, [1, 1, -1], max_steps=200)
    assert np.exp(run.log_loss[-1]) == pytest.approx(2 * np.sqrt(2), rel=1e-9, abs=0)


def test_nothing_is_done_where_the_loss_is_reached_already() -> None:
    run = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=5)
    assert (run.converged, run.steps.tolist()) == (True, [0])


def test_the_start_is_not_changed() -> None:
    net = small()
    before = [p.detach().clone() for p in net.parameters()]
    margin_flow(net, TOY_X, TOY_Y, until_log10_loss=-1)
    for p, was in zip(net.parameters(), before, strict=True):
        assert torch.equal(p, was)


OPTIONS = [
    {"loss": "exponential"},
    {"loss": "logistic"},
    {"loss": "cross_entropy"},
]


def start_of(options: dict) -> tuple[nn.Module, np.ndarray, np.ndarray]:
    classes = options["loss"] == "cross_entropy"
    return small(3 if classes else 1), TOY_X, CLASSES if classes else TOY_Y


def assert_same(run: MarginRun, whole: MarginRun) -> None:
    for name in (
        *("steps", "evaluations", "log_time", "effective_time", "log_loss", "norm"),
        *("minimum_margin", "gradient_alignment", "gradient_norm", "slack", "layer_norms"),
        *("step_size", "smoothed_margin_drops", "alignment"),
    ):
        np.testing.assert_array_equal(getattr(run, name), getattr(whole, name), err_msg=name)
    for p, q in zip(run.net.parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(p, q)
    assert run._progress == whole._progress


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_run_in_parts_is_the_whole_run(options: dict, saved: bool, tmp_path: Path) -> None:
    start = start_of(options)
    whole = quietly(*start, max_steps=30, **options)
    part = quietly(*start, max_steps=13, **options)
    if saved:
        part.save(tmp_path / "run.npz")
        part = load_run(tmp_path / "run.npz", start[0])
    assert_same(quietly(*start, max_steps=30, resume=part, **options), whole)


@pytest.mark.parametrize("where", ["_state", "_backward", "add"])
@pytest.mark.parametrize("at", [3, 16])
@pytest.mark.parametrize("options", OPTIONS)
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    options: dict, at: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = start_of(options)
    whole = quietly(*start, max_steps=20, **options)
    owner = Recorder if where == "add" else Problem
    original, calls = getattr(owner, where), []

    def interrupted(*arguments: object, **named: object) -> object:
        result = original(*arguments, **named)
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, where, interrupted)
        part = margin_flow(*start, max_steps=20, **options)
    assert (part.message, part.converged) == ("interrupted", False)
    assert part.steps[-1] < 20
    here = Problem(part.net, *start[1:], options["loss"]).evaluate().log_loss
    assert part.log_loss[-1] == here
    assert_same(quietly(*start, max_steps=20, resume=part, **options), whole)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"relative_step": 0.0}, ValueError, "relative_step must be greater than 0"),
        ({"relative_step": np.inf}, ValueError, "relative_step must be finite"),
        ({"relative_step": "long"}, TypeError, "relative_step must be a real number, got str"),
        ({"until_log10_loss": np.nan}, ValueError, "until_log10_loss must be finite"),
        ({"until_log10_loss": True}, TypeError, "until_log10_loss must be a real number"),
        ({"max_steps": 0}, ValueError, "max_steps must be at least 1"),
        ({"max_steps": 2.5}, TypeError, "max_steps must be an integer"),
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"loss": "cross_entropy"}, ValueError, "needs a net with one output for each class"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        margin_flow(small(), TOY_X, TOY_Y, **options)


def test_a_net_of_unknown_growth_is_refused() -> None:
    net = Net(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    with pytest.raises(NotHomogeneousError, match="Tanh"):
        margin_flow(net, TOY_X, TOY_Y)


def test_a_start_whose_outputs_overflow_is_refused() -> None:
    net = DeepLinear(2, 1, seed=0)
    with torch.no_grad():
        net.layers[0].weight.fill_(-1.5e308)
    with pytest.raises(ValueError, match="outputs that are not finite at its start"):
        margin_flow(net, TOY_X, TOY_Y)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (TOY_Y, {"loss": "logistic"}, "resume must be a run with the same loss and order"),
        (-TOY_Y, {}, "resume must be a run on the same data; its last log loss was"),
    ],
)
def test_only_a_run_of_its_own_is_continued(y: np.ndarray, options: dict, message: str) -> None:
    part = quietly(small(), TOY_X, TOY_Y, max_steps=3)
    with pytest.raises(ValueError, match=message):
        margin_flow(small(), TOY_X, y, resume=part, **options)


def test_a_run_of_the_other_trainer_is_not_continued() -> None:
    other = descend(small(), TOY_X, TOY_Y, schedule="armijo", until_log10_loss=-1)
    with pytest.raises(ValueError, match="resume must be a run of margin_flow, got one of descend"):
        margin_flow(small(), TOY_X, TOY_Y, resume=other)
