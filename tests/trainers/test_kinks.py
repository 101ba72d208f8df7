"""A leaky neuron's flow across its kinks: closed form, smoothed activation, sliding."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import expit

from ibtools.metrics import neuron_kkt
from ibtools.models import LinearNeuron
from ibtools.theory import implicit_limit, implicit_potential
from ibtools.trainers import NeuronRun, TrainingWarning, gradient_flow

X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])


@pytest.mark.parametrize("method", ["reduced", "parameters"])
def test_the_leaky_flow_of_the_table(method: str) -> None:
    neuron = LinearNeuron.from_scale_shape(
        scale=0.1, shape=0.5, direction=[0.6, 0.0, 0.8], slope=0.1
    )
    run = gradient_flow(neuron, X, Y, method=method)
    assert isinstance(run, NeuronRun)
    assert run.converged
    np.testing.assert_allclose(
        run.w[-1], [-0.16327361186529362, 1.0671235959890652, -1.9419471602256734], atol=1e-8
    )
    assert run.a[-1] == pytest.approx(1.5359588906407457, abs=1e-8)
    assert [(kink.sample, kink.event) for kink in run.kinks] == [(1, "crosses")]
    # The time of the kink is where wᵀx vanishes, asked for separately.
    before = gradient_flow(neuron, X, Y, times=[run.kinks[0].time])
    assert abs(before.w_layer[-1] @ X[1]) < 1e-10


@pytest.mark.slow
@settings(max_examples=8)
@given(
    st.integers(0, 10_000),
    st.sampled_from([0.5, 0.1, 0.02]),
    st.sampled_from([1, -1]),
    st.floats(-6, 1),
)
def test_leaky_flows_end_where_theorem_4_says(
    seed: int, slope: float, sign: int, log_scale: float
) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(3, 6)), random.normal(size=3)
    neuron = LinearNeuron.from_scale_shape(
        scale=10.0**log_scale,
        shape=float(random.uniform(0.05, 0.9)),
        direction=random.normal(size=6),
        slope=slope,
        sign=sign,
    )
    run = gradient_flow(neuron, A, y)
    limit = implicit_limit(neuron, A, y)
    assert run.converged
    assert np.linalg.norm(run.w[-1] - limit) <= 1e-7 * np.linalg.norm(limit)
    q = implicit_potential(neuron)
    kkt = neuron_kkt(run.w[-1], q.gradient(run.w[-1]), A, y, slope=slope, sign=sign)
    assert kkt.stationarity < 1e-7
    assert kkt.feasibility < 1e-7 * (1 + np.linalg.norm(limit) / np.linalg.norm(y))


def _smoothed(
    neuron: LinearNeuron, A: np.ndarray, y: np.ndarray, times: list[float], width: float
) -> np.ndarray:
    """Return the path with the kink rounded over `width`, by nothing of the package."""

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        a, inputs = state[0], A @ state[1:]
        ramp = np.maximum(inputs, 0) + width * np.log1p(np.exp(-np.abs(inputs) / width))
        output = neuron.slope * inputs + (1 - neuron.slope) * ramp
        slopes = neuron.slope + (1 - neuron.slope) * expit(inputs / width)
        residual = y - a * output
        return np.append(output @ residual, a * ((slopes * residual) @ A))

    start = np.append(neuron.a, neuron.w)
    end = solve_ivp(
        velocity, (0, times[-1]), start, t_eval=times, method="LSODA", rtol=1e-9, atol=1e-11
    )
    return (end.y[0] * end.y[1:]).T


@pytest.mark.parametrize("seed", [0, 2, 4, 5])
def test_kinks_are_the_limit_of_rounded_ones(seed: int) -> None:
    random = np.random.default_rng(seed)
    A, y = random.normal(size=(4, 6)), random.normal(size=4) - 0.5
    neuron = LinearNeuron(0.5, 0.3 * random.normal(size=6), slope=0.1)
    times = [0.5, 1.0, 2.0, 4.0, 8.0]
    run = gradient_flow(neuron, A, y, times=times)
    assert any(kink.event == "slides" for kink in run.kinks)
    errors = [np.abs(_smoothed(neuron, A, y, times, width) - run.w).max() for width in (1e-4, 1e-5)]
    assert errors[1] < 5e-4
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.3, abs=0)


def test_a_sample_that_slides_stays_on_its_kink() -> None:
    random = np.random.default_rng(5)
    A, y = random.normal(size=(4, 6)), random.normal(size=4) - 0.5
    neuron = LinearNeuron(0.5, 0.3 * random.normal(size=6), slope=0.1)
    run = gradient_flow(neuron, A, y)
    slides = [kink for kink in run.kinks if kink.event == "slides"]
    assert len(slides) == 2
    for kink in slides:
        # Only where a·y < 0 is a kink a valley of the loss.
        assert neuron.a * y[kink.sample] < 0
        left = next(k for k in run.kinks if k.sample == kink.sample and k.event == "leaves")
        assert left.time > kink.time
        times = np.linspace(kink.time, left.time, 5)
        path = gradient_flow(neuron, A, y, times=times)
        assert np.abs(path.w_layer @ A[kink.sample]).max() < 1e-10


def test_conservation_and_the_idle_part_survive_all_kinks() -> None:
    random = np.random.default_rng(0)
    A, y = random.normal(size=(20, 60)), random.normal(size=20)
    neuron = LinearNeuron(0.5, 0.1 * random.normal(size=60), slope=0.05)
    run = gradient_flow(neuron, A, y)
    assert len(run.kinks) > 10
    assert run.net.slope == 0.05
    assert run.net.balancedness == pytest.approx(neuron.balancedness, abs=1e-8)
    hidden = np.linalg.svd(A)[2][20:]
    np.testing.assert_allclose(hidden @ run.net.w, hidden @ neuron.w, atol=1e-12)
    limit = implicit_limit(neuron, A, y)
    assert np.linalg.norm(run.w[-1] - limit) <= 1e-8 * np.linalg.norm(limit)


def test_reduction_and_raw_weights_agree_across_kinks() -> None:
    random = np.random.default_rng(3)
    A, y = random.normal(size=(3, 5)), random.normal(size=3) - 0.5
    neuron = LinearNeuron(0.5, random.normal(size=5), slope=0.1)
    times = [0.1, 1.0, 5.0]
    one = gradient_flow(neuron, A, y, times=times)
    two = gradient_flow(neuron, A, y, times=times, method="parameters")
    assert one.kinks
    assert [kink[1:] for kink in one.kinks] == [kink[1:] for kink in two.kinks]
    np.testing.assert_allclose(one.w, two.w, atol=1e-8)


def test_no_smaller_loss_is_lost_on_the_way() -> None:
    random = np.random.default_rng(7)
    A, y = random.normal(size=(6, 10)), random.normal(size=6)
    run = gradient_flow(LinearNeuron(0.5, random.normal(size=10), slope=0.02), A, y)
    assert np.all(np.diff(run.loss) <= 1e-12)


def test_a_start_on_a_valley_is_followed() -> None:
    # wᵀx = 0 for the sample with a·y < 0: it slides, crosses, or stays, but it is determined.
    w = np.array([2.0, -1.0, 0.0])
    neuron = LinearNeuron(1.0, w, slope=0.1)
    run = gradient_flow(neuron, [[1.0, 2.0, 0.5], [1.0, 0.0, 2.0]], [-1.0, 2.5])
    assert run.converged
    np.testing.assert_allclose(
        run.w[-1],
        implicit_limit(neuron, [[1.0, 2.0, 0.5], [1.0, 0.0, 2.0]], [-1.0, 2.5]),
        atol=1e-8,
    )


def test_a_start_on_a_ridge_is_refused() -> None:
    # The sample's own push is upward, by 1 above and by 0.1 below; the other's is −0.5.
    neuron = LinearNeuron(1.0, [0.0, 1.0], slope=0.1)
    with pytest.raises(ValueError, match=r"net must not start on a ridge of the loss.*row 0"):
        gradient_flow(neuron, [[1.0, 0.0], [1.0, 1.0]], [1.0, 0.5])
    # With the other's at −0.05 both sides agree, and the flow is determined.
    run = gradient_flow(neuron, [[1.0, 0.0], [0.1, 1.0]], [1.0, 0.5])
    assert run.w_layer[-1][0] > 0


def test_an_interrupted_run_keeps_its_kinks() -> None:
    neuron = LinearNeuron.from_scale_shape(
        scale=0.1, shape=0.5, direction=[0.6, 0.0, 0.8], slope=0.1
    )
    with pytest.warns(TrainingWarning, match="gave up after max_steps=60"):
        run = gradient_flow(neuron, X, Y, max_steps=60)
    assert not run.converged
    assert len(run.kinks) == 1


@pytest.mark.parametrize("slope", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("start", [[1.0, 1.0], [0.5, -0.5], [0.1, 2.0]])
def test_data_that_contradict_themselves_are_told_by_their_rows(
    slope: float, start: list[float]
) -> None:
    # In which of several ways a solver fails there is a matter of rounding.
    neuron = LinearNeuron(1.0, start, slope=slope)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        twice = gradient_flow(neuron, [[1.0, 0.0], [1.0, 0.0]], [1.0, -3.0])
        opposite = gradient_flow(neuron, [[1.0, 0.0], [-1.0, 0.0]], [1.0, 1.0])
    said = "; rows 0 and 1 of X are the same and have different labels"
    assert twice.converged or said in twice.message
    kink = "X has 2 rows of rank 1, and labels that its predictors need not fit"
    assert opposite.converged or (kink in opposite.message) == (slope < 1)
    assert "LSODA" not in twice.message + opposite.message


def test_what_the_rows_contradict_is_warned_of() -> None:
    neuron = LinearNeuron(1.0, [1.0, 1.0], slope=0.1)
    with pytest.warns(TrainingWarning, match=r"rows 0 and 1 of X are the same and have different"):
        gradient_flow(neuron, [[1.0, 0.0], [1.0, 0.0]], [1.0, -3.0])
    with pytest.warns(TrainingWarning, match="X has 2 rows of rank 1, .* need not fit"):
        gradient_flow(neuron, [[1.0, 0.0], [-1.0, 0.0]], [1.0, 1.0])
