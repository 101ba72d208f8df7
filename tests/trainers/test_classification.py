"""A net, data and a loss in the log domain, against plain losses, Jacobians and 60 digits."""

import copy
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ibtools.models.layers import SquaredReLU
from ibtools.models.nets import MLP, ConvNet, DiagonalClassifier, Net, ResidualMLP
from ibtools.models.samples import finite_inputs
from ibtools.trainers.margins import problem as problem_module
from ibtools.trainers.margins.problem import (
    Linearization,
    Problem,
    few_threads,
    labels_for_loss,
    log_logistic,
    log_losses,
)

NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: MLP([4, 6, 3, 1], "squared_relu", seed=0),
    "mlp, biases": lambda: MLP([4, 6, 1], bias=True, seed=0),
    "mlp, classes, biases": lambda: MLP([4, 6, 3], bias=True, seed=0),
    "plain sequential": lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1)).double(),
    "convolutions": lambda: ConvNet((1, 2, 2), [[3]], bias=True, hidden=[4], seed=0),
    "strided convolution, classes": lambda: Net(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2, stride=2, padding=1, dilation=1),
        nn.ReLU(), nn.Flatten(), nn.Linear(12, 3),
    ).double(),
    "diagonal": lambda: DiagonalClassifier([1.0, 2.0, 0.5, 1.0], [0.3, 1.0, 1.0, 2.0]),
    "residual": lambda: ResidualMLP(4, 3, outputs=3, seed=0),
    "a layer used twice": lambda: Net(*[nn.Linear(4, 4).double()] * 2, nn.Linear(4, 1).double()),
    "a convolution in groups": lambda: Net(
        nn.Unflatten(1, (2, 2, 1)), nn.Conv2d(2, 2, 1, groups=2), nn.Flatten(), nn.Linear(4, 1)
    ).double(),
    "an unused parameter": lambda: _with_an_unused_parameter(),
}  # fmt: skip


def _with_an_unused_parameter() -> nn.Module:
    net = Net(nn.Linear(4, 2), SquaredReLU(), nn.Linear(2, 1)).double()
    net.unused = nn.Parameter(torch.ones(2, dtype=torch.float64))
    return net


def problem_of(kind: str, *, loss: str = "", seed: int = 0, n: int = 7) -> Problem:
    net = NETS[kind]()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=source, dtype=p.dtype))
    shape = (1, 2, 2) if isinstance(net, ConvNet) else (4,)
    X = torch.randn(n, *shape, generator=source, dtype=torch.float64)
    with torch.no_grad():
        outputs = net(X[:1])
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        y = torch.randint(outputs.shape[1], (n,), generator=source).numpy()
        return Problem(net, X, y, "cross_entropy")
    y = np.where(torch.rand(n, generator=source).numpy() < 0.5, -1.0, 1.0)
    return Problem(net, X, y, loss or "exponential")


def plain_margins(problem: Problem, flat: Tensor) -> Tensor:
    """Return the margins by their definition, sample by sample, as a function of `flat`."""
    names = [name for name, _ in problem.net.named_parameters()]
    shapes = [p.shape for p in problem.weights]
    values = {
        name: piece.view(shape)
        for name, piece, shape in zip(names, flat.split(problem.sizes), shapes, strict=True)
    }
    # A copy: a module that is used twice keeps the wrong parameters after such a call.
    outputs = torch.func.functional_call(copy.deepcopy(problem.net), values, (problem.X,))
    outputs = outputs.reshape(problem.n, -1)
    rows = []
    for row, label in zip(outputs, problem.margins.labels, strict=True):
        if len(row) == 1:
            rows.append(label * row)
        else:
            rows.append(
                torch.stack([row[int(label)] - o for j, o in enumerate(row) if j != int(label)])
            )
    return torch.stack(rows)


def plain_loss(margins: Tensor, loss: str) -> Tensor:
    """Return 𝓛 by its definition; underflows where it may."""
    if loss == "exponential":
        return torch.exp(-margins).sum()
    return torch.log(1 + torch.exp(-margins).sum(1)).sum()


def jacobian(problem: Problem) -> Tensor:
    """Return the Jacobian of all margins, (n·c, p), by the definition."""
    flat = problem.flat.clone()
    rows = torch.autograd.functional.jacobian(lambda f: plain_margins(problem, f), flat)
    return rows.reshape(-1, flat.numel())


ARGUMENTS = [
    *(-1e6, -800.0, -40.0, -18.01, -17.99, -3.0, 0.0, 3.0, 19.9, 20.1, 25.0, 36.0, 40.0, 1e4)
]


@pytest.mark.parametrize("z", ARGUMENTS)
def test_the_logistic_loss_to_the_last_digits(z: float) -> None:
    value, slope = log_logistic(torch.tensor([z], dtype=torch.float64))
    with mp.workdps(60 + int(abs(z) / 2) if abs(z) < 2000 else 60):
        e = mp.exp(mp.mpf(z))
        loss = mp.log1p(e) if z < 50 else mp.mpf(z) + mp.log1p(mp.exp(-mp.mpf(z)))
        share = (e / (1 + e) if z < 50 else mp.mpf(1)) / loss
        expected = float(mp.log(loss)), float(share)
    assert float(value) == pytest.approx(expected[0], rel=1e-15, abs=3e-16)
    assert float(slope) == pytest.approx(expected[1], rel=2e-15, abs=0)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("loss", ["exponential", "logistic", "cross_entropy"])
def test_log_losses_and_their_slopes_at_any_margin(loss: str, scale: float) -> None:
    width = 3 if loss == "cross_entropy" else 1
    source = torch.Generator().manual_seed(1)
    margins = scale * torch.rand(5, width, generator=source, dtype=torch.float64)
    value, slopes = log_losses(margins, loss)
    for i, row in enumerate(margins.tolist()):
        with mp.workdps(50 + int(scale)) if scale < 2e3 else mp.workdps(50):
            terms = [mp.exp(-mp.mpf(s)) for s in row]
            total = mp.fsum(terms)
            if loss == "exponential":
                each, pull = total, terms
            else:
                each = mp.log1p(total)
                pull = [t / (1 + total) for t in terms]
            expected = float(mp.log(each)), [float(t / each) for t in pull]
        assert float(value[i]) == pytest.approx(expected[0], rel=1e-14, abs=0)
        np.testing.assert_allclose(
            slopes[i].numpy(), expected[1], rtol=1e-9 if scale > 1e5 else 1e-12, atol=1e-300
        )


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize("kind", NETS)
@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_log_loss_and_gradient_are_those_of_the_plain_loss(kind: str, loss: str, seed: int) -> None:
    problem = problem_of(kind, loss=loss, seed=seed)
    flat = (0.4 * problem.flat).requires_grad_()
    total = plain_loss(plain_margins(problem, flat), problem.loss)
    (gradient,) = torch.autograd.grad(total.log(), flat)
    problem.flat.copy_(flat.detach())
    state, measured = problem.descend_from()
    assert state.log_loss == pytest.approx(float(total.detach().log()), rel=1e-12, abs=1e-12)
    scale = float(gradient.norm())
    torch.testing.assert_close(measured, gradient, rtol=0, atol=1e-12 * max(scale, 1e-3))
    torch.testing.assert_close(problem.evaluate().margins, state.margins, rtol=0, atol=0)
    torch.testing.assert_close(-problem.pulled(state.weights), measured, rtol=0, atol=1e-14 * scale)
    assert state.minimum_margin == float(state.margins.min())
    slack = float((state.weights * (state.margins - state.minimum_margin)).sum())
    assert state.slack == pytest.approx(slack, abs=1e-15)


@pytest.mark.parametrize("kind", ["mlp", "mlp, classes, biases"])
def test_the_gradient_does_not_underflow(kind: str) -> None:
    first = problem_of(kind)
    first.flat.mul_(1e3)
    with torch.no_grad():
        outputs = first.outputs_at(first.X)
    if first.outputs > 1:
        problem = Problem(first.net, first.X, outputs.argmax(1).numpy(), "cross_entropy")
    else:
        problem = Problem(first.net, first.X, torch.sign(outputs).numpy(), "logistic")
    state, gradient = problem.descend_from()
    assert state.log_loss < -800
    # Of so small a loss the weights are those of a softmin over margins, in any units.
    shift = state.margins.min()
    weights = torch.exp(shift - state.margins.reshape(-1))
    expected = -(weights / weights.sum()) @ jacobian(problem)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-11 * float(expected.norm()))
    least = float(shift - weights.sum().log())
    assert state.log_loss == pytest.approx(-least, rel=1e-14, abs=0)


def test_margins_are_differences_to_every_other_class_in_order() -> None:
    net = Net(nn.Identity(), nn.Linear(3, 3, bias=False).double())
    with torch.no_grad():
        net.layers[1].weight.copy_(torch.eye(3))
    problem = Problem(net, [[1.0, 5.0, 2.0], [7.0, 0.0, 3.0]], [1, 2], "cross_entropy")
    expected = [[4.0, 3.0], [-4.0, 3.0]]
    np.testing.assert_array_equal(problem.evaluate().margins.numpy(), expected)


def test_a_plain_net_that_keeps_its_last_axis_has_one_margin_a_sample() -> None:
    problem = problem_of("plain sequential")
    state = problem.evaluate()
    assert state.margins.shape == (7, 1)
    expected = problem.margins.labels * problem.net(problem.X)[:, 0].detach()
    np.testing.assert_array_equal(state.margins[:, 0].numpy(), expected.numpy())


@settings(max_examples=20)
@given(st.permutations(range(7)))
def test_the_order_of_samples_does_not_matter(order: list[int]) -> None:
    first = problem_of("mlp, classes, biases")
    net, X, y = first.net, first.X[order], first.margins.labels[order].numpy()
    state, gradient = Problem(net, X, y, "cross_entropy").descend_from()
    before, expected = first.descend_from()
    assert state.log_loss == pytest.approx(before.log_loss, abs=1e-13)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", NETS)
def test_products_with_chosen_gradients_are_those_of_the_jacobian(kind: str) -> None:
    problem = problem_of(kind)
    width = problem.evaluate().margins.shape[1]
    chosen = torch.tensor([0, 1, 2, 5, 6]) * width + (width - 1)
    J = jacobian(problem)[chosen]
    tangents = problem.tangents(chosen // width, chosen % width)
    np.testing.assert_allclose(tangents.gram(), (J @ J.T).numpy(), rtol=1e-12, atol=1e-12)
    direction = torch.randn(J.shape[1], generator=torch.Generator().manual_seed(3)).double()
    np.testing.assert_allclose(
        tangents.along(direction), (J @ direction).numpy(), rtol=1e-11, atol=1e-11
    )
    both = tangents.joined(tangents)
    np.testing.assert_allclose(both.gram()[5:, :5], tangents.gram(), rtol=1e-12, atol=1e-12)
    c = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0], dtype=torch.float64)
    expected = c @ J
    torch.testing.assert_close(tangents.combination(c), expected, rtol=1e-12, atol=1e-12)
    # The net has kept its parameters, as views of the flat vector.
    assert all(p is q for p, q in zip(problem.net.parameters(), problem.weights, strict=True))
    problem.evaluate(0 * problem.flat)
    assert not any(p.detach().any() for p in problem.net.parameters())


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mlp, biases", "bias"), ("mlp", "outer"), ("convolutions", "full"), ("residual", "outer"),
     ("diagonal", "full"), ("a layer used twice", "full"), ("a convolution in groups", "full")],
)  # fmt: skip
def test_outer_products_are_used_where_there_are_some(kind: str, expected: str) -> None:
    tangents = problem_of(kind).tangents(torch.tensor([0, 1]), torch.tensor([0, 0]))
    assert tangents._blocks[0][0] == expected


@pytest.mark.parametrize(("chunk", "graphs"), [(2048, 0), (3, 0), (3, 2**30)])
@pytest.mark.parametrize("kind", NETS)
def test_the_linearization_is_the_jacobian(
    kind: str, chunk: int, graphs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_module, "_CHUNK", chunk)
    monkeypatch.setattr(problem_module, "_GRAPHS", graphs)
    problem = problem_of(kind)
    J = jacobian(problem)
    linear = Linearization(problem)
    assert (linear._kept is None) == (chunk == 3 and graphs == 0)
    assert linear.shape == tuple(problem.evaluate().margins.shape)
    source = torch.Generator().manual_seed(3)
    for _ in range(2):  # the graph is kept
        d = torch.randn(J.shape[1], generator=source, dtype=torch.float64)
        v = torch.randn(linear.shape, generator=source, dtype=torch.float64)
        torch.testing.assert_close(linear.along(d).reshape(-1), J @ d, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(linear.pulled(v), v.reshape(-1) @ J, rtol=1e-11, atol=1e-11)


def test_graphs_are_kept_if_they_hold_little_and_data_and_parameters_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = np.random.default_rng(0).normal(size=(30, 500))
    problem = Problem(MLP([500, 4, 1], "squared_relu", seed=0), X, np.ones(30), "logistic")
    monkeypatch.setattr(problem_module, "_CHUNK", 10)
    each = 8 * 30 * 4  # of every sample, a number for each neuron
    monkeypatch.setattr(problem_module, "_GRAPHS", 20 * each)
    assert 20 * each < 8 * X.size
    assert Linearization(problem)._kept is not None
    monkeypatch.setattr(problem_module, "_GRAPHS", each)
    assert Linearization(problem)._kept is None


@pytest.mark.parametrize("samples", [[0, 3], []])
def test_samples_without_weight_are_left_out_of_a_pull(
    samples: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_module, "_CHUNK", 2)
    problem = problem_of("mlp, classes, biases")
    v = torch.zeros_like(problem.evaluate().margins)
    v[samples] = 1.0
    for graphs in (0, 2**30):
        monkeypatch.setattr(problem_module, "_GRAPHS", graphs)
        pulled = Linearization(problem).pulled(v)
        torch.testing.assert_close(pulled, problem.pulled(v), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", ["mlp, classes, biases", "convolutions"])
def test_chunks_change_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(kind)
    state, gradient = problem.descend_from()
    monkeypatch.setattr(problem_module, "_CHUNK", 2)
    again, pieced = problem.descend_from()
    assert again.log_loss == pytest.approx(state.log_loss, rel=1e-14, abs=0)
    torch.testing.assert_close(pieced, gradient, rtol=1e-12, atol=1e-13)


def test_batches_add_up_to_the_gradient() -> None:
    problem = problem_of("mlp, classes, biases")
    state, gradient = problem.descend_from()
    pieces = [
        problem.batch_gradient(samples, state.log_loss)
        for samples in (torch.tensor([6, 1, 3]), torch.tensor([0, 2]), torch.tensor([4, 5]))
    ]
    torch.testing.assert_close(sum(pieces), gradient, rtol=1e-12, atol=1e-14)


def test_layer_norms_are_those_of_weights_and_bias_together() -> None:
    problem = problem_of("mlp, biases")
    layers = [m for m in problem.net.modules() if isinstance(m, nn.Linear)]
    expected = [
        np.sqrt(float(m.weight.detach().square().sum() + m.bias.detach().square().sum()))
        for m in layers
    ]
    np.testing.assert_allclose(problem.layer_norms(), expected, rtol=1e-14)
    assert problem.layer_names == ["layers.0", "layers.2"]


def test_the_net_is_copied_and_its_parameters_are_one_vector() -> None:
    net = MLP([2, 3, 1], seed=0)
    before = [p.detach().clone() for p in net.parameters()]
    problem = Problem(net, [[1.0, 2.0]], [1.0], "exponential")
    problem.evaluate(torch.arange(9.0, dtype=torch.float64))
    for p, was in zip(net.parameters(), before, strict=True):
        assert torch.equal(p, was)
    flat = torch.cat([p.detach().reshape(-1) for p in problem.net.parameters()])
    assert torch.equal(flat, torch.arange(9.0, dtype=torch.float64))


def test_dropout_is_off() -> None:
    net = Net(nn.Linear(2, 50), nn.Dropout(0.5), nn.Linear(50, 1)).double()
    problem = Problem(net, [[1.0, 2.0]], [1.0], "exponential")
    assert problem.evaluate().log_loss == problem.evaluate().log_loss
    assert net.training


def test_nets_in_single_precision_have_margins_in_double() -> None:
    net = MLP([2, 3, 1], seed=0, dtype=torch.float32)
    problem = Problem(net, [[1.0, 2.0]], [1.0], "logistic")
    state, gradient = problem.descend_from()
    assert (problem.X.dtype, gradient.dtype) == (torch.float32, torch.float32)
    assert (state.margins.dtype, state.weights.dtype) == (torch.float64, torch.float64)


X = [[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]]


def one(value: float = 1.0, *, frozen: bool = False) -> nn.Module:
    net = MLP([3, 1], seed=0)
    with torch.no_grad():
        net.layers[0].weight[0, 1] = value
    net.layers[0].weight.requires_grad_(not frozen)
    return net


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([[np.nan, 1.0, 1.0]], r"X must be finite, got nan at index \(0, 0\)"),
        ([[1.0, np.inf, np.inf]], r"X must be finite, got inf at index \(0, 1\) \(2 such"),
        ([], "X must have samples along its first axis"),
        (np.zeros((0, 3)), "at least one of them"),
        ([1.0, 2.0, 3.0], r"got shape \(3,\)"),
        ([["a", "b", "c"]], "X must be an array of real numbers"),
        (np.array(X) + 1j, "X must be an array of real numbers"),
        (torch.tensor(X) + 1j, "X must be an array of real numbers"),
        ([[1.0, 2.0], [1.0]], "X must be an array of real numbers"),
        (None, "X must be an array of real numbers"),
        ([[1.0, 2.0]], r"X must fit the net, got samples of shape \(2,\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        Problem(one(), inputs, [1], "logistic")


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("labels", "outputs", "loss", "message"),
    [
        ([1], 1, "logistic", r"one label for each of 2 samples, got shape \(1,\)"),
        ([[1], [1]], 1, "logistic", "a column of shape"),
        ([0, 1], 1, "logistic", "y must be ±1 for a net with one output, got 0"),
        ([1, np.nan], 1, "exponential", "y must be ±1 for a net with one output, got nan"),
        (["cat", "dog"], 1, "logistic", "y must be an array of real numbers"),
        ([1, 1j], 1, "logistic", "y must be an array of real numbers"),
        ([1, -1], 1, "cross_entropy", "needs a net with one output for each class"),
        ([1, -1], 1, "hinge", "loss must be one of 'exponential'"),
        ([0, 1], 3, "logistic", "loss 'logistic' is for a net with one output, got 3"),
        ([0, 3], 3, "cross_entropy", "y must be classes 0 … 2 .* from 0 to 3"),
        ([0, -1], 3, "cross_entropy", "from -1 to 0"),
        ([0, 0.5], 3, "cross_entropy", "y must be classes"),
        ([0, np.nan], 3, "cross_entropy", "y must be classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    labels: list, outputs: int, loss: str, message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        Problem(MLP([3, outputs], seed=0), X, labels, loss)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.ReLU(), "net has no parameters"),
        (one(frozen=True), "must be trained, got layers.0.weight with requires_grad=False"),
        (one(np.nan), "net has parameters that are not finite"),
        (one(-np.inf), "net has parameters that are not finite"),
        (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1).double()), "of several types or devices"),
        (
            nn.Sequential(nn.Linear(3, 4).double(), nn.Unflatten(1, (2, 2))),
            r"net must map .* got \(2, 2, 2\) for n = 2",
        ),
    ],
)
def test_nets_that_do_not_fit_are_refused(net: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem(net, X, [1, -1], "logistic")


def test_numbers_of_any_kind_are_taken_as_inputs_and_labels() -> None:
    for kind in (np.float32, np.int64, np.uint8, bool):
        given_X = np.array([[0, 1], [1, 1]], dtype=kind)
        np.testing.assert_array_equal(finite_inputs(given_X), [[0.0, 1.0], [1.0, 1.0]])
    assert finite_inputs(torch.ones(2, 3)).dtype == torch.float64
    assert labels_for_loss([1, -1], n=2, outputs=1, loss="logistic").dtype == torch.float64
    assert labels_for_loss([0.0, 2.0], n=2, outputs=3, loss="cross_entropy").tolist() == [0, 2]


def test_a_small_problem_runs_on_one_thread_and_gives_the_others_back() -> None:
    before = torch.get_num_threads()
    with few_threads(10**6):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with few_threads(10**9):
        assert torch.get_num_threads() == before
