"""The nets for classification: what they compute, how they start, what they refuse."""

import numpy as np
import pytest
import torch
from torch import nn

from ibtools.models.homogeneity import NotHomogeneousError, homogeneity_of
from ibtools.models.layers import Residual, SquaredReLU
from ibtools.models.nets import (
    MLP,
    ConvNet,
    DeepLinear,
    DiagonalClassifier,
    Net,
    ResidualMLP,
    has_bias,
    mnist_cnn,
    torch_generator,
    vgg16,
)

X = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, 2.0]], dtype=torch.float64)


def weights(net: nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy() for p in net.parameters()]


def test_an_mlp_is_layers_with_an_activation_between_them() -> None:
    net = MLP([3, 4, 2, 1], "squared_relu", bias=True, seed=0)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(generator=torch.Generator().manual_seed(1))
    W1, b1, W2, b2, W3, b3 = weights(net)
    hidden = np.maximum(X.numpy() @ W1.T + b1, 0) ** 2
    hidden = np.maximum(hidden @ W2.T + b2, 0) ** 2
    np.testing.assert_allclose(net(X).detach().numpy(), (hidden @ W3.T + b3)[:, 0], rtol=1e-13)


def test_one_output_loses_its_axis_and_several_keep_theirs() -> None:
    assert MLP([3, 4, 1], seed=0)(X).shape == (2,)
    assert MLP([3, 4, 2], seed=0)(X).shape == (2, 2)
    assert MLP([3, 1], seed=0)(X[:1]).shape == (1,)
    assert MLP([3, 2], seed=0)(X[:1]).shape == (1, 2)


def test_a_residual_net_is_what_its_formula_says() -> None:
    net = ResidualMLP(3, 4, hidden=5, blocks=1, activation="relu", bias=True, seed=0)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(generator=torch.Generator().manual_seed(1))
    U, u, W1, b1, W2, b2, v, c = weights(net)
    h = X.numpy() @ U.T + u
    expected = (h + np.maximum(h @ W1.T + b1, 0) @ W2.T + b2) @ v[0] + c[0]
    np.testing.assert_allclose(net(X).detach().numpy(), expected, rtol=1e-13)


def test_a_residual_net_without_embedding_sees_the_input() -> None:
    net = ResidualMLP(3, 3, activation="squared_relu", blocks=2, embed=False, outputs=2, seed=0)
    V1, W1, V2, W2, v = weights(net)
    h = X.numpy()
    for V, W in ((V1, W1), (V2, W2)):
        h = h + np.maximum(h @ V.T, 0) ** 2 @ W.T
    np.testing.assert_allclose(net(X).detach().numpy(), h @ v.T, rtol=1e-13)
    assert sum(isinstance(m, Residual) for m in net.modules()) == 2


def test_a_convolutional_net_keeps_the_size_and_halves_it_in_each_block() -> None:
    net = ConvNet((2, 9, 6), [[3, 4], [5]], kernel=[5, 3], hidden=[7], outputs=3, seed=0)
    shapes = [tuple(p.shape) for p in net.parameters()]
    assert shapes == [(3, 2, 5, 5), (4, 3, 5, 5), (5, 4, 3, 3), (7, 5 * 2 * 1), (3, 7)]
    assert net(torch.ones(4, 2, 9, 6, dtype=torch.float64)).shape == (4, 3)
    kinds = [type(m).__name__ for m in net.layers]
    assert kinds == [
        *("Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d"),
        *("Flatten", "Linear", "ReLU", "Linear"),
    ]


def test_a_convolution_is_same_with_zeros_outside() -> None:
    net = ConvNet((1, 2, 2), [[1]], activation="identity", seed=0)
    kernel, last = weights(net)
    image = np.array([[1.0, 2.0], [-3.0, 4.0]])
    padded = np.pad(image, 1)
    moved = np.array(
        [[np.sum(padded[i : i + 3, j : j + 3] * kernel[0, 0]) for j in (0, 1)] for i in (0, 1)]
    )
    outputs = net(torch.tensor(image)[None, None])
    np.testing.assert_allclose(outputs.detach().numpy(), [moved.max() * last[0, 0]], rtol=1e-13)


def test_the_papers_nets() -> None:
    mnist = mnist_cnn(seed=0, dtype=torch.float32)
    assert [tuple(p.shape) for p in mnist.parameters()] == [
        *((32, 1, 5, 5), (32,), (64, 32, 3, 3)),
        *((1024, 64 * 7 * 7), (10, 1024)),
    ]
    assert mnist.order == 4
    assert not mnist_cnn(bias=True, seed=0, dtype=torch.float32).is_homogeneous
    vgg = vgg16(seed=0, dtype=torch.float32)
    convolutions = [m for m in vgg.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [
        *(64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    ]
    assert [m.bias is not None for m in convolutions] == [True] + [False] * 12
    assert vgg.order == 14
    assert vgg(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_a_deep_linear_net_is_the_product_of_its_layers() -> None:
    net = DeepLinear(3, 3, width=4, seed=0)
    A, B, C = weights(net)
    np.testing.assert_allclose(net.predictor, (C @ B @ A)[0], rtol=1e-13)
    np.testing.assert_allclose(net(X).detach().numpy(), X.numpy() @ net.predictor, rtol=1e-13)
    several = DeepLinear(3, 1, outputs=2, seed=0)
    assert several.predictor.shape == (2, 3)
    np.testing.assert_allclose(
        several(X).detach().numpy(), X.numpy() @ several.predictor.T, rtol=1e-13
    )


def test_a_diagonal_classifier_has_the_weights_that_it_was_given() -> None:
    u = np.array([1.0, 0.0, 2.0])
    net = DiagonalClassifier(u, [0.5, 0.5, -1.0])
    np.testing.assert_array_equal(net.predictor, [0.75, -0.25, 3.0])
    np.testing.assert_allclose(net(X).detach().numpy(), X.numpy() @ net.predictor, rtol=1e-14)
    u[0] = 7.0
    assert net.predictor[0] == 0.75


def test_he_draw_has_its_variance_and_scale_and_biases_start_at_zero() -> None:
    net = MLP([200, 300, 100], bias=True, scale=0.3, seed=0)
    W1, b1, W2, b2 = weights(net)
    for W, inputs in ((W1, 200), (W2, 300)):
        assert W.std() == pytest.approx(0.3 * np.sqrt(2 / inputs), rel=0.02, abs=0)
        assert abs(W.mean()) < 4 * W.std() / np.sqrt(W.size)
    assert not b1.any()
    assert not b2.any()
    kernel = weights(ConvNet((8, 4, 4), [[400]], kernel=3, seed=0))[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (8 * 9)), rel=0.02, abs=0)


def test_the_seed_alone_decides_the_start() -> None:
    torch.manual_seed(5)
    first = weights(MLP([3, 4, 1], seed=1))
    before = torch.get_rng_state()
    again = weights(MLP([3, 4, 1], seed=1))
    assert torch.equal(before, torch.get_rng_state())
    other = weights(MLP([3, 4, 1], seed=2))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_a_numpy_generator_is_drawn_from() -> None:
    random = np.random.default_rng(0)
    first, second = (weights(MLP([3, 1], seed=random))[0] for _ in range(2))
    assert not np.array_equal(first, second)
    again = weights(MLP([3, 1], seed=np.random.default_rng(0)))[0]
    np.testing.assert_array_equal(first, again)
    assert torch_generator(3).initial_seed() == 3


def test_types_of_parameters() -> None:
    assert MLP([3, 1], seed=0)(X).dtype == torch.float64
    assert MLP([3, 1], seed=0, dtype=torch.float32)(X.float()).dtype == torch.float32


def test_the_order_of_a_net_or_why_it_has_none() -> None:
    assert MLP([3, 4, 1], "squared_relu", bias="first", seed=0).order == 3
    assert MLP([3, 4, 1], "squared_relu", seed=0).is_homogeneous
    biased = MLP([3, 4, 1], bias=True, seed=0)
    assert (homogeneity_of(biased).order, biased.is_homogeneous) == (2, False)
    with pytest.raises(NotHomogeneousError, match="the bias of"):
        _ = biased.order
    assert not Net(nn.Linear(3, 3), nn.Tanh()).is_homogeneous
    assert Net(nn.Linear(3, 3), SquaredReLU()).order == 2


@pytest.mark.parametrize(("bias", "expected"), [(False, [0, 0]), ("first", [1, 0]), (True, [1, 1])])
def test_where_biases_are(bias: bool | str, expected: list[int]) -> None:
    assert [has_bias(bias, number) for number in (0, 1)] == [bool(b) for b in expected]
    layers = [m for m in MLP([3, 4, 1], bias=bias, seed=0).modules() if isinstance(m, nn.Linear)]
    assert [m.bias is not None for m in layers] == [bool(b) for b in expected]


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MLP([3], seed=0), ValueError, "widths must have at least two entries"),
        (lambda: MLP([3, 0, 1], seed=0), ValueError, r"widths\[1\] must be at least 1, got 0"),
        (lambda: MLP([3, 2.5, 1], seed=0), TypeError, r"widths\[1\] must be an integer, got 2.5"),
        (lambda: MLP([3, 1], "swish", seed=0), ValueError, "activation must be one of"),
        (lambda: ConvNet((1, 8, 8), [[2]], activation="swish", seed=0), ValueError, "activation"),
        (lambda: MLP([3, 1], bias="last", seed=0), ValueError, "bias must be one of 'first'"),
        (lambda: MLP([3, 1], bias=2, seed=0), TypeError, "bias must be"),
        (lambda: MLP([3, 1], scale=0.0, seed=0), ValueError, "scale must be greater than 0"),
        (lambda: MLP([3, 1], scale=np.nan, seed=0), ValueError, "scale must be finite"),
        (lambda: MLP([3, 1], seed=-1), ValueError, "seed must be at least 0"),
        (lambda: MLP([3, 1], seed=0.5), TypeError, "seed must be an int or a numpy"),
        (lambda: MLP([3, 1], seed=None), TypeError, "randomness here is always explicit"),
        (lambda: ResidualMLP(0, 3, seed=0), ValueError, "d must be at least 1"),
        (lambda: ResidualMLP(3, 4, embed=False, seed=0), ValueError, "width must equal d=3"),
        (lambda: ResidualMLP(3, 4, hidden=0, seed=0), ValueError, "hidden must be at least 1"),
        (lambda: ResidualMLP(3, 4, blocks=0, seed=0), ValueError, "blocks must be at least 1"),
        (lambda: ResidualMLP(3, 4, outputs=0, seed=0), ValueError, "outputs must be at least 1"),
        (
            lambda: ConvNet((8, 8), [[2]], seed=0),
            ValueError,
            r"input_shape must be \(channels, height",
        ),
        (lambda: ConvNet((1, 8, 8), [[2]], kernel=4, seed=0), ValueError, "kernel must be odd"),
        (lambda: ConvNet((1, 8, 8), [[2]], kernel=[3, 3], seed=0), ValueError, "kernel must have"),
        (lambda: ConvNet((1, 8, 8), [[0]], seed=0), ValueError, "must be at least 1, got 0"),
        (lambda: ConvNet((1, 3, 8), [[2], [2]], seed=0), ValueError, "halved by each of 2 blocks"),
        (lambda: ConvNet((1, 8, 8), [[2]], outputs=0, seed=0), ValueError, "outputs must be"),
        (lambda: DeepLinear(3, 0, seed=0), ValueError, "depth must be at least 1"),
        (lambda: DiagonalClassifier([1.0], [1.0, 2.0]), ValueError, "the same number of entries"),
        (lambda: DiagonalClassifier([np.inf], [1.0]), ValueError, "u must be finite"),
        (lambda: DiagonalClassifier([[1.0]], [1.0]), ValueError, "u must have 1 axis"),
        (lambda: DiagonalClassifier([], []), ValueError, "u is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
