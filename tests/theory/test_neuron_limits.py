"""Limits of neurons: reference numbers, and closed form against convex solver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.models import LinearNet, LinearNeuron
from ibtools.theory import (
    AccuracyWarning,
    WarpedPotential,
    explicit_limit,
    implicit_limit,
    implicit_potential,
    interpolation_targets,
    kernel_limit,
    kernel_regime_gap,
    minimum_norm_interpolator,
    small_start_bound,
    warped_projection,
)

# The problem and the numbers of the 40-digit table.
X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])
DIRECTION = [0.6, 0.0, 0.8]
FLIPPING = [1.0, -0.5, 0.2]
REFERENCES = [
    (
        LinearNeuron.from_scale_shape(scale=0.1, shape=0.0, direction=DIRECTION),
        [0.21149224460304748, 0.41305318832985826, -0.075197242525527993],
        0.68564034416712675,
    ),
    (
        LinearNeuron.from_scale_shape(scale=0.1, shape=0.5, direction=DIRECTION, slope=0.1),
        [-0.16327361186529362, 1.0671235959890652, -1.9419471602256734],
        1.5359588906407457,
    ),
    (
        LinearNeuron(0.1, FLIPPING),
        [-0.35531588371376936, 0.64607430774899407, 0.12633453643156244],
        -0.58693324276946151,
    ),
]
seeds = st.integers(0, 10_000)


@pytest.mark.parametrize(("neuron", "w", "a"), REFERENCES, ids=["linear", "leaky", "flip"])
def test_limits_of_the_table(neuron: LinearNeuron, w: list[float], a: float) -> None:
    limit = explicit_limit(neuron, X, Y)
    np.testing.assert_allclose(limit.w, w, rtol=1e-13)
    assert limit.a == pytest.approx(a, rel=1e-13, abs=0)
    np.testing.assert_array_equal(implicit_limit(neuron, X, Y), limit.w)


@pytest.mark.parametrize(("neuron", "w", "a"), REFERENCES[:2], ids=["linear", "leaky"])
def test_the_convex_solver_finds_the_limits_of_the_table(
    neuron: LinearNeuron, w: list[float], a: float
) -> None:
    found = warped_projection(implicit_potential(neuron), X, Y, slope=neuron.slope)
    np.testing.assert_allclose(found.w, w, rtol=1e-11)
    assert found.converged


def test_the_potential_of_the_table() -> None:
    neuron, w, _ = REFERENCES[0]
    assert implicit_potential(neuron)(w) == pytest.approx(0.2906649635522993, rel=1e-14, abs=0)
    assert explicit_limit(LinearNeuron(0.3, FLIPPING), X, Y).a == pytest.approx(
        0.61177993574939356, rel=1e-13, abs=0
    )
    np.testing.assert_allclose(
        minimum_norm_interpolator(X, Y),
        [0.1586772133803488, 0.43476603449918994, -0.056418564757457353],
        rtol=1e-13,
    )


@given(
    seeds,
    st.floats(-20, 3),
    st.floats(-0.99, 0.9999),
    st.sampled_from([1.0, 0.3, 0.02]),
    st.sampled_from([1, -1]),
)
def test_closed_form_and_convex_solver_agree(
    seed: int, log_scale: float, shape: float, slope: float, sign: int
) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(3, 6)), random.normal(size=3)
    neuron = LinearNeuron.from_scale_shape(
        scale=10.0**log_scale, shape=shape, direction=random.normal(size=6), slope=slope, sign=sign
    )
    limit = explicit_limit(neuron, A, y, final_sign=sign)
    found = warped_projection(implicit_potential(neuron), A, y, slope=slope, sign=sign)
    assert found.converged
    scale = np.linalg.norm(limit.w)
    np.testing.assert_allclose(found.w, limit.w, atol=1e-9 * scale)
    # Both interpolate, conserve δ and leave the rest of w alone.
    targets = interpolation_targets(y, slope=slope, sign=sign)
    np.testing.assert_allclose(A @ limit.w, targets, atol=1e-9 * (scale + np.abs(targets).max()))
    reached = LinearNeuron(limit.a, limit.w / limit.a, slope=slope)
    np.testing.assert_allclose(reached.predict(A), y, atol=1e-9 * (scale + np.abs(targets).max()))
    size = limit.a**2 + reached.w @ reached.w + neuron.a**2 + neuron.w @ neuron.w
    assert abs(reached.balancedness - neuron.balancedness) <= 1e-10 * size
    np.testing.assert_allclose(
        found.multipliers @ A, implicit_potential(neuron).gradient(found.w), atol=1e-7 * size
    )


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_newton_s_method_takes_few_steps(scale: float) -> None:
    for shape in (-0.5, 0.0, 0.9):
        neuron = LinearNeuron.from_scale_shape(scale=scale, shape=shape, direction=DIRECTION)
        found = warped_projection(implicit_potential(neuron), X, Y)
        assert found.iterations <= 6
        limit = explicit_limit(neuron, X, Y, final_sign=1)
        np.testing.assert_allclose(found.w, limit.w, rtol=1e-12)


def test_limits_in_many_dimensions() -> None:
    random = np.random.default_rng(0)
    A, y, direction = random.normal(size=(100, 1000)), random.normal(size=100), np.ones(1000)
    for scale in (1e-20, 1e-5, 1.0, 1e3):
        for shape in (-0.5, 0.0, 0.9999):
            neuron = LinearNeuron.from_scale_shape(scale=scale, shape=shape, direction=direction)
            limit = explicit_limit(neuron, A, y).w
            found = warped_projection(implicit_potential(neuron), A, y).w
            assert np.linalg.norm(found - limit) <= 1e-13 * np.linalg.norm(limit)


def test_labels_of_zero_are_interpolated_by_what_the_data_do_not_see() -> None:
    zero = np.zeros(2)
    kept = LinearNeuron(2.0, [0.1, 0.2, 0.3])
    limit = explicit_limit(kept, X, zero)
    found = warped_projection(implicit_potential(kept), X, zero)
    np.testing.assert_allclose(found.w, limit.w, atol=1e-12)
    np.testing.assert_allclose(X @ limit.w, 0, atol=1e-13)
    assert limit.a > 1.9
    shrunk = LinearNeuron(0.1, [1.0, 1.0, 1.0])
    assert explicit_limit(shrunk, X, zero).a == 0
    np.testing.assert_array_equal(explicit_limit(shrunk, X, zero).w, np.zeros(3))
    np.testing.assert_allclose(
        warped_projection(implicit_potential(shrunk), X, zero).w, 0, atol=1e-12
    )


def test_what_the_data_do_not_see_may_outweigh_the_corner() -> None:
    # a∞² = a₀² though ‖w₀‖ > a₀, as Xw₀ = 0: the limit is a₀w₀ = w̃₀, not the corner 0.
    neuron = LinearNeuron(0.5, 2 * np.linalg.svd(X)[2][2])
    for limit in (
        explicit_limit(neuron, X, np.zeros(2)).w,
        warped_projection(implicit_potential(neuron), X, np.zeros(2)).w,
    ):
        np.testing.assert_allclose(limit, neuron.predictor, rtol=1e-12)


@pytest.mark.parametrize(("share", "vanishes"), [(0.99, True), (1.01, False)])
def test_the_corner_is_the_limit_exactly_where_the_output_weight_dies(
    share: float, vanishes: bool
) -> None:
    # y = 0: a∞² = a₀² − ‖Πw₀‖² where that is positive, else 0.
    w = np.array([1.0, 1.0, 1.0])
    neuron = LinearNeuron(share * float(np.linalg.norm(np.linalg.pinv(X) @ X @ w)), w)
    found = warped_projection(implicit_potential(neuron), X, np.zeros(2))
    limit = explicit_limit(neuron, X, np.zeros(2))
    assert (limit.a == 0) == vanishes == (not found.w.any())
    np.testing.assert_allclose(found.w, limit.w, rtol=1e-9)
    if vanishes:
        assert found.iterations == 0
        assert found.error_estimate < 1e-15


def test_where_no_sample_says_anything_nothing_moves() -> None:
    neuron = LinearNeuron(0.5, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(kernel_limit(neuron, np.zeros((1, 3)), [0.0]), neuron.predictor)


@given(seeds, st.sampled_from([1.0, 0.1]), st.sampled_from([1, -1]))
def test_targets_invert_the_neuron(seed: int, slope: float, sign: int) -> None:
    random = np.random.default_rng(seed)
    y = random.normal(size=6)
    neuron = LinearNeuron(sign * 2.0, sign * np.ones(1), slope=slope)
    inputs = interpolation_targets(y, slope=slope, sign=sign) / 2.0
    np.testing.assert_allclose(neuron.predict(inputs[:, None]), y, rtol=1e-13)


def test_the_leaky_limit_does_not_mirror_for_the_other_sign() -> None:
    one, two = (
        LinearNeuron.from_scale_shape(
            scale=0.1, shape=0.5, direction=DIRECTION, slope=0.1, sign=sign
        )
        for sign in (1, -1)
    )
    assert np.linalg.norm(implicit_limit(one, X, Y) - implicit_limit(two, X, Y)) > 1


@given(seeds, st.sampled_from([0.0, 0.5, 0.9]))
def test_the_kernel_limit_is_a_weighted_projection(seed: int, shape: float) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(2, 5)), random.normal(size=2)
    neuron = LinearNeuron.from_scale_shape(scale=3.0, shape=shape, direction=random.normal(size=5))
    limit = kernel_limit(neuron, A, y)
    np.testing.assert_allclose(A @ limit, y, atol=1e-9)
    # The way there is orthogonal, in the metric of the start, to everything the data do not see.
    hidden = np.linalg.svd(A)[2][2:]
    way = neuron.metric_tensor() @ (limit - neuron.predictor)
    np.testing.assert_allclose(hidden @ way, 0, atol=1e-9 * np.linalg.norm(way))
    same = kernel_limit(LinearNet([neuron.a], neuron.w[None, :]), A, y)
    np.testing.assert_allclose(same, limit, rtol=1e-10)


@given(seeds, st.integers(1, 4))
def test_the_kernel_limit_is_that_of_the_network_linearized_in_its_weights(
    seed: int, neurons: int
) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(2, 5)), random.normal(size=2)
    a, W = random.normal(size=neurons), random.normal(size=(neurons, 5))

    def predictor(theta: np.ndarray) -> np.ndarray:
        return theta[:neurons] @ theta[neurons:].reshape(neurons, 5)

    # It is quadratic in the weights: a central difference is exact.
    theta = np.concatenate([a, W.ravel()])
    moves = np.eye(theta.size)
    J = np.stack([(predictor(theta + h) - predictor(theta - h)) / 2 for h in moves], axis=1)
    # Flow of the linearized network takes the shortest way in the weights to an interpolator.
    step = np.linalg.pinv(A @ J) @ (y - A @ predictor(theta))
    limit = kernel_limit(LinearNet(a, W), A, y)
    np.testing.assert_allclose(limit, predictor(theta) + J @ step, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.5, 0.9, 0.99])
def test_the_gap_to_the_kernel_regime_stays_as_the_scale_grows(shape: float) -> None:
    random = np.random.default_rng(1)
    A, y, direction = random.normal(size=(5, 20)), random.normal(size=5), random.normal(size=20)
    neuron = LinearNeuron.from_scale_shape(scale=1e7, shape=shape, direction=direction)
    kernel = kernel_limit(neuron, A, y)
    gap = np.linalg.norm(implicit_limit(neuron, A, y) - kernel)
    gap /= np.linalg.norm(kernel - neuron.predictor)
    rows = np.linalg.qr(A.T)[0].T
    alignment = np.sum((rows @ direction) ** 2) / (direction @ direction)
    assert kernel_regime_gap(shape, alignment) == pytest.approx(gap, rel=1e-4, abs=0)
    assert gap > 1e-7


def test_the_gap_vanishes_where_it_should() -> None:
    assert kernel_regime_gap(0.3, 0.0) == 0.0
    assert kernel_regime_gap(0.3, 1.0) == 0.0
    for left in (1e-3, 1e-5):
        expected = np.sqrt(0.2 * 0.8) * left**2 / 8
        assert kernel_regime_gap(1 - left, 0.2) == pytest.approx(expected, rel=2 * left, abs=0)


def test_starts_orthogonal_to_the_data_do_reach_the_kernel_regime() -> None:
    hidden = np.linalg.svd(X)[2][2]
    gaps = []
    for scale in (1e1, 1e3):
        neuron = LinearNeuron.from_scale_shape(scale=scale, shape=0.0, direction=hidden)
        kernel = kernel_limit(neuron, X, Y)
        gaps.append(np.linalg.norm(implicit_limit(neuron, X, Y) - kernel))
    assert gaps[1] < 0.02 * gaps[0]


@given(seeds)
def test_the_bound_for_small_starts_is_an_equality_for_one_neuron(seed: int) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(3, 6)), random.normal(size=3)
    neuron = LinearNeuron(float(random.normal()), random.normal(size=6))
    limit = explicit_limit(neuron, A, y, final_sign=1).w
    distance = np.linalg.norm(limit - minimum_norm_interpolator(A, y))
    assert small_start_bound(neuron, A, y) == pytest.approx(distance, rel=1e-9, abs=0)
    net = LinearNet([neuron.a], neuron.w[None, :])
    assert small_start_bound(net, A, y) == small_start_bound(neuron, A, y)


@given(seeds, st.floats(0.1, 0.95))
def test_the_bound_is_met_where_all_neurons_see_the_same(seed: int, other: float) -> None:
    # a cannot turn there; what is not seen has rank 2, of which a meets the larger part only.
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(2, 6)), random.normal(size=2)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    hidden = np.linalg.svd(A)[2][2:4]
    a, seen = 1.3, 0.2 * random.normal(size=2) @ A
    W = np.outer(turn[0], seen + 0.7 * hidden[0]) + np.outer(turn[1], 0.7 * other * hidden[1])
    net = LinearNet(a * turn[0], W)
    # For its output weight a, the network is the neuron (a, seen + hidden).
    kept, least = a**2 - seen @ seen, np.linalg.norm(np.linalg.pinv(A) @ y)
    squared = (max(kept, 0.0) + np.sqrt(max(kept, 0.0) ** 2 + 4 * least**2)) / 2
    assert small_start_bound(net, A, y) == pytest.approx(0.7 * np.sqrt(squared), rel=1e-9, abs=0)


# Printed by the authors' notebooks (mean squared test error after descent to a training error of
# 1e-10): shape, scale, error. What they stopped short of shows in the fifth digit.
PUBLISHED = [
    (0.0, 0.01, 0.859335),
    (0.0, 0.1, 0.900312),
    (0.5, 0.01, 0.859948),
    (0.5, 0.1, 0.861275),
    (0.95, 0.01, 0.858228),
    (0.95, 0.1, 0.862001),
]


def test_errors_that_the_authors_of_the_paper_printed() -> None:
    # multivariate_normal with covariance I draws just these numbers, after a large factorization.
    legacy = np.random.RandomState(1993)
    train, test = legacy.standard_normal((100, 1000)), legacy.standard_normal((2000, 1000))
    truth = np.zeros(1000)
    truth[legacy.choice(1000, 5, replace=False)] = 1 / np.sqrt(5)
    y = train @ truth + 0.1 * legacy.standard_normal(100)
    for shape, scale, printed in PUBLISHED:
        direction, sign = legacy.normal(size=1000), int(np.sign(legacy.normal()))
        neuron = LinearNeuron.from_scale_shape(
            scale=scale, shape=shape, direction=sign * direction, sign=sign
        )
        error = np.mean((test @ (explicit_limit(neuron, train, y).w - truth)) ** 2)
        assert error == pytest.approx(printed, rel=0, abs=4e-5)


def test_the_bound_falls_with_the_start() -> None:
    random = np.random.default_rng(0)
    a, W = random.normal(size=4), random.normal(size=(4, 3))
    bounds = [small_start_bound(LinearNet(e * a, e * W), X, Y) for e in (1e-3, 1e-5)]
    assert bounds[0] == pytest.approx(100 * bounds[1], rel=1e-4, abs=0)


@pytest.mark.usefixtures("as_a_user")
def test_problems_that_are_none_of_interpolation_are_refused() -> None:
    neuron = LinearNeuron(1.0, [1.0, 2.0, 3.0])
    for solve in (
        lambda A, y: implicit_limit(neuron, A, y),
        lambda A, y: warped_projection(implicit_potential(neuron), A, y),
        lambda A, y: kernel_limit(neuron, A, y),
        lambda A, y: small_start_bound(neuron, A, y),
    ):
        with pytest.raises(ValueError, match="y must be in the range of X, got X of rank 1"):
            solve([[1, 2, 3], [2, 4, 6]], [1, 3])
        with pytest.raises(ValueError, match="X must be finite"):
            solve([[1, 2, np.nan]], [1])
        with pytest.raises(ValueError, match="X must have 3 columns"):
            solve([[1.0, 2.0]], [1.0])


def test_rows_may_depend_on_each_other() -> None:
    neuron = LinearNeuron(0.8, [0.3, -0.5, 0.2])
    net = LinearNet([0.3, -0.2], [[0.1, 0.2, -0.1], [0.3, 0.0, 0.2]])
    twice, labels = np.vstack([X, 3 * X[:1] - X[1:]]), np.append(Y, 3 * Y[0] - Y[1])
    for solve in (
        lambda A, y: explicit_limit(neuron, A, y).w,
        lambda A, y: warped_projection(implicit_potential(neuron), A, y).w,
        lambda A, y: kernel_limit(neuron, A, y),
        lambda A, y: kernel_limit(net, A, y),
        lambda A, y: small_start_bound(net, A, y),
    ):
        np.testing.assert_allclose(solve(twice, labels), solve(X, Y), rtol=1e-12)
    # As many independent rows as columns: one interpolator, which flow finds.
    square = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0], [0.2, 0.4, -1.0]])
    expected = np.linalg.solve(square, [1.0, -0.5, 0.1])
    solved = explicit_limit(neuron, square, [1.0, -0.5, 0.1], final_sign=1)
    np.testing.assert_allclose(solved.w, expected, rtol=1e-12)
    found = warped_projection(implicit_potential(neuron), square, [1.0, -0.5, 0.1])
    np.testing.assert_allclose(found.w, expected, rtol=1e-12)


def test_rows_that_nearly_depend_on_each_other_cost_their_condition_once() -> None:
    neuron = LinearNeuron(0.8, [0.3, -0.5, 0.2])
    net = LinearNet([0.3, -0.2], [[0.1, 0.2, -0.1], [0.3, 0.0, 0.2]])

    def mixed(near: float) -> tuple[np.ndarray, np.ndarray]:
        mix = np.array([[1.0, 0.0], [1.0, near]])
        return mix @ X, mix @ Y

    for solve in (
        lambda A, y: explicit_limit(neuron, A, y).w,
        lambda A, y: warped_projection(implicit_potential(neuron), A, y).w,
        lambda A, y: kernel_limit(neuron, A, y),
        lambda A, y: small_start_bound(net, A, y),
    ):
        np.testing.assert_allclose(solve(*mixed(1e-3)), solve(X, Y), rtol=3e-12)
    with pytest.warns(AccuracyWarning, match="condition number of X is"):
        found = warped_projection(implicit_potential(neuron), *mixed(1e-9))
    assert not found.converged


def test_which_labels_a_leaky_neuron_can_reach_depends_on_its_sign() -> None:
    # Rows x and −x: outputs σ(t) and σ(−t), so (1, −ρ) for a > 0 and (ρ, −1) for a < 0.
    leaky = LinearNeuron(2.0, [0.3, -0.5, 0.2], slope=0.25)
    A = np.vstack([X[0], -X[0]])
    assert explicit_limit(leaky, A, [1.0, -0.25]).w @ X[0] == pytest.approx(1.0, rel=1e-12, abs=0)
    with pytest.raises(ValueError, match="y must be in the range of X"):
        explicit_limit(leaky, A, [1.0, -1.0])


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    leaky = LinearNeuron(1.0, [1.0, 2.0, 3.0], slope=0.5)
    q = WarpedPotential(delta=0.0, start=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="neuron must be linear"):
        kernel_limit(leaky, X, Y)
    with pytest.raises(ValueError, match="net must be linear"):
        small_start_bound(leaky, X, Y)
    with pytest.raises(ValueError, match="tangent kernel"):
        kernel_limit(LinearNeuron(0.0, [1.0, 2.0, 3.0]), X, Y)
    with pytest.raises(ValueError, match="slope must be above 0"):
        warped_projection(q, X, Y, slope=0.0)
    with pytest.raises(ValueError, match="sign must be 1 or -1"):
        explicit_limit(leaky, X, Y, final_sign=0)
    for shape, alignment, message in (
        (1.0, 0.5, "shape must lie"),
        (0.0, 1.5, "alignment must lie"),
        (-0.9, 0.5, "must have alignment"),
    ):
        with pytest.raises(ValueError, match=message):
            kernel_regime_gap(shape, alignment)
    with pytest.raises(ValueError, match="net must be a single neuron"):
        implicit_limit(LinearNet.gaussian(neurons=3, d=3, scale=1.0, seed=0), X, Y)


def test_an_undecided_sign_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"too close to the threshold.*final_sign.*0\.5446"):
        implicit_limit(LinearNeuron(0.2283, FLIPPING), X, Y)
