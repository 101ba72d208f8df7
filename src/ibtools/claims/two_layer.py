"""Claims of the chapter on two-layer ReLU and leaky ReLU networks and nearly orthogonal data."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from ibtools.claims.claim import Comparison, Worst, claim, excess, largest, relative
from ibtools.data import nearly_orthogonal, orthogonality
from ibtools.models.two_layer import TwoLayerNet
from ibtools.theory.max_margin import max_margin
from ibtools.theory.two_layer import (
    balanced_stable_rank,
    first_step_slack,
    linear_margin_bound,
    nearly_orthogonal_rank_bound,
    own_pattern_limit,
    relu_gap_bound,
    relu_loss_bound,
    relu_rank_bound,
    relu_share_bound,
    signed_rank_constants,
    sliding_limit,
    start_input_bound,
    two_layer_limit,
    wide_relu_stable_rank,
)
from ibtools.trainers.two_layer import TwoLayerRun, train_two_layer, train_two_layer_batch

_KOU = "Kou, Chen and Gu 2023"


def _gaussian(
    *, n: int, d: int, m: int, slope: float, scale: float = 1e-3, seed: int
) -> tuple[TwoLayerNet, Float[np.ndarray, "n d"], Float[np.ndarray, " n"], float]:
    """Return a network, nearly orthogonal data, and the step at which log L falls by about ½."""
    X, y = nearly_orthogonal(n=n, d=d, seed=seed)
    # Of one seed the weights would be multiples of the samples.
    net = TwoLayerNet.initialize(m=m, d=d, slope=slope, scale=scale, seed=seed + 100)
    return net, X, y, n * m / (2 * d)


def _orthogonal(
    *, n: int, d: int, sizes: Float[np.ndarray, " n"], seed: int
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Return orthogonal samples of given norms, the first half labelled 1, the rest −1."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, n)))[0]
    return sizes[:, None] * basis.T, np.repeat([1.0, -1.0], n // 2)


def _apart(W: Float[np.ndarray, "rows d"], other: Float[np.ndarray, "rows d"]) -> float:
    """Return the distance of two directions."""
    return float(np.linalg.norm(W / np.linalg.norm(W) - other / np.linalg.norm(other)))


def _below(
    quantity: str,
    bounds: Float[np.ndarray, "..."],
    measured: Float[np.ndarray, "..."],
    error_of: str,
    tolerance: float,
    *more: float,
) -> Comparison:
    """Compare numbers with upper bounds; show the tightest. Errors `more` count as well."""
    used = measured / bounds
    tightest = np.unravel_index(used.argmax(), used.shape)
    return Comparison(
        quantity,
        float(bounds[tightest]),
        float(measured[tightest]),
        largest(excess(measured, bounds), *more),
        error_of,
        tolerance,
        float(np.maximum(1 - used[tightest], 0.0)),
    )


def _built(
    norms: Float[np.ndarray, " n"],
    products: Float[np.ndarray, "n n"],
    inputs: Float[np.ndarray, "rows n"],
    slope: float,
) -> tuple[TwoLayerNet, Float[np.ndarray, "n n"], Float[np.ndarray, " n"]]:
    """Return a network and n samples in n dimensions, of two labels by turns.

    The samples have these norms and inner products, the neurons these inputs.
    """
    gram = np.where(np.eye(len(norms)) > 0, norms**2, products)
    X = np.linalg.cholesky(gram)
    net = TwoLayerNet(inputs @ np.linalg.inv(X).T, slope=slope)
    return net, X, np.resize([1.0, -1.0], len(norms))


def _lost(start: TwoLayerNet, end: TwoLayerNet, X: np.ndarray, y: np.ndarray) -> int:
    """Return how many neurons that start active on a sample of their sign end inactive on it."""
    own = np.outer(start.signs, y) > 0
    return int((own & start.activity(X) & ~end.activity(X)).sum())


def _late_run(slope: float = 0.3) -> tuple[TwoLayerRun, Float[np.ndarray, "n d"], np.ndarray]:
    net, X, y, step = _gaussian(n=20, d=2000, m=10, slope=slope, seed=0)
    return train_two_layer(net, X, y, step_size=step, steps=10_000, schedule="loss_based"), X, y


@claim(
    "two_layer.limit-direction",
    title="The limit direction, rank one for either sign",
    source=f"{_KOU}; in closed form this book",
    theorem="thm-two-limit",
    statement="On nearly orthogonal data, from a small start, all rows of $W₊$ tend to the "
    "direction of $v₊$ and all rows of $W₋$ to that of $v₋$, which one linear system $Kα = 1$ "
    "gives.",
)
def limit_direction() -> Comparison:
    """Compare W of gradient descent, at log τ near 5000, with the rank-one directions."""
    run, X, y = _late_run()
    limit = two_layer_limit(run.net_at(0), X, y)
    return Comparison(
        "normalized margin",
        limit.margin,
        float(run.normalized_margin[-1]),
        _apart(run.net.W, limit.W),
        "distance of the two directions, which is of order $1/log τ$",
        2e-4,
    )


@claim(
    "two_layer.equal-margins",
    title="All margins become equal",
    source=f"{_KOU}; the constant this book",
    theorem="thm-two-limit",
    statement="The gap between the largest and the smallest margin tends to $log(max α/min α)$, "
    "while margins grow like $log τ$: normalized margins become equal at the rate $1/log τ$.",
)
def equal_margins() -> Comparison:
    """Compare the gap of unnormalized margins with that of the multipliers."""
    run, X, y = _late_run()
    predicted = two_layer_limit(run.net_at(0), X, y).margin_gap()
    margins = run.normalized_margins[-1] * run.norm[-1]
    measured = float(margins.max() - margins.min())
    return Comparison(
        "$max q − min q$",
        predicted,
        measured,
        abs(measured - predicted) / predicted,
        "relative difference",
        1e-8,
    )


@claim(
    "two_layer.signed-rank-rate",
    title="The stable ranks of $W₊$ and $W₋$ tend to 1 like $1/log²τ$",
    source=f"limit: {_KOU}; rate and constants this book",
    theorem="thm-two-rank",
    statement="$(sr(W±) − 1)‖W±‖²$ tends to a constant that the first few steps settle: the part "
    "of the rows that is off their mean never changes again.",
)
def signed_rank_rate() -> Comparison:
    """Predict the late stable ranks from the weights right after the pattern formed."""
    run, X, y = _late_run()
    formed = int(np.searchsorted(run.steps, run.last_switch[-1]))
    predicted = signed_rank_constants(run.net_at(formed), X, y)
    sizes = [np.sum(run.net.W_plus**2), np.sum(run.net.W_minus**2)]
    measured = (run.stable_rank_signed[-1] - 1) * sizes
    return Comparison(
        "$(sr(W₊) − 1)‖W₊‖²$",
        float(predicted[0]),
        float(measured[0]),
        relative(measured - predicted, predicted),
        "relative distance, both signs",
        1e-4,
    )


@claim(
    "two_layer.whole-rank",
    title="The whole $W$ does not become rank one",
    source="this book",
    theorem="thm-two-rank",
    statement="On orthogonal samples of equal norm, as many of either label, the stable rank of "
    "$W$ tends to $2(1 + ρ²)/(1 + ρ)²$.",
)
def whole_rank() -> Comparison:
    """Compare the limits of five slopes, trained together, with the formula."""
    slopes = np.array([0.05, 0.1, 0.3, 0.5, 0.9])
    X, y = _orthogonal(n=10, d=60, sizes=np.full(10, 2.0), seed=1)
    nets = [TwoLayerNet.initialize(m=8, d=60, slope=s, scale=1e-5, seed=2) for s in slopes]
    runs = train_two_layer_batch(nets, X, y, step_size=10.0, steps=20_000, schedule="loss_based")
    measured = runs.last("stable_rank")
    predicted = np.array([balanced_stable_rank(slope) for slope in slopes])
    worst = int(np.abs(measured - predicted).argmax())
    return Comparison(
        "sr(W)",
        predicted[worst],
        measured[worst],
        largest(np.abs(measured - predicted)),
        "largest difference, 5 slopes from 0.05 to 0.9",
        1e-4,
    )


@claim(
    "two_layer.whole-rank-any-data",
    title="… on any nearly orthogonal data",
    source="this book",
    theorem="thm-two-rank",
    statement="The stable rank of $W$ tends to that of the matrix with $m$ rows $v₊$ and $m$ rows "
    "$v₋$.",
)
def whole_rank_any_data() -> Comparison:
    """Compare on Gaussian data; the approach is of order 1/log τ."""
    run, X, y = _late_run()
    predicted = two_layer_limit(run.net_at(0), X, y).stable_rank
    measured = float(run.stable_rank[-1])
    return Comparison("sr(W)", predicted, measured, abs(measured - predicted), "difference", 5e-5)


@claim(
    "two_layer.loss-constant",
    title="The loss of a constant step: $t·L → (m/η)Σα$",
    source=f"rate: {_KOU}; the constant this book",
    theorem="thm-two-limit",
    statement="With a constant step $η$ the mean loss $L$ after $t$ steps has $t·L → (m/η)Σα = "
    "1/(ηγ̄²)$.",
)
def loss_constant() -> Comparison:
    """Compare t·L after 20 000 steps with the multipliers."""
    net, X, y, step = _gaussian(n=10, d=800, m=10, slope=0.3, seed=1)
    step *= 4
    run = train_two_layer(net, X, y, step_size=step, steps=20_000)
    predicted = two_layer_limit(net, X, y).loss_time() / step
    measured = float(np.exp(run.log_loss[-1])) / len(y) * int(run.steps[-1])
    return Comparison(
        "$t·L$",
        predicted,
        measured,
        abs(measured - predicted) / predicted,
        "relative difference, after 20 000 steps",
        1e-3,
    )


@claim(
    "two_layer.loss-rate",
    title="The loss falls like $1/t$",
    source=_KOU,
    theorem="thm-two-limit",
    statement="The training loss of gradient descent with a constant step is $O(1/t)$: leaky ReLU "
    "and ReLU.",
)
def loss_rate() -> Comparison:
    """Fit the power of t between 2000 and 8000 steps, for both activations."""
    worst = Worst()
    for slope in (0.3, 0.0):
        net, X, y, step = _gaussian(n=10, d=800, m=10, slope=slope, seed=1)
        run = train_two_layer(net, X, y, step_size=step, steps=8000)
        early = int(np.searchsorted(run.steps, 2000))
        power = float(
            (run.log_loss[-1] - run.log_loss[early]) / (run.log_time[-1] - run.log_time[early])
        )
        worst.see(abs(power + 1), -1.0, power)
    return worst.comparison("power of $t$", "difference, worse of two", 0.01)


@claim(
    "two_layer.log-domain-loss",
    title="The same when steps grow with $1/L$",
    source="this book",
    theorem="thm-two-limit",
    statement="With steps $η/L$ every step takes the factor $exp(−ηγ̄²)$ off the loss, so $L·τ$ "
    "tends to $η/(exp(ηγ̄²) − 1)$.",
)
def log_domain_loss() -> Comparison:
    """Compare L·τ at a loss of about e⁻¹⁰⁰⁰⁰."""
    net, X, y, step = _gaussian(n=20, d=2000, m=10, slope=0.3, seed=0)
    run = train_two_layer(net, X, y, step_size=step, steps=20_000, schedule="loss_based")
    predicted = two_layer_limit(net, X, y).loss_time(schedule="loss_based", step_size=step)
    measured = float(np.exp(run.log_loss[-1] - np.log(len(y)) + run.log_time[-1]))
    return Comparison(
        "$L·τ$",
        predicted,
        measured,
        abs(measured - predicted) / predicted,
        f"relative difference, at $log L = {run.log_loss[-1]:.0f}$",
        1e-8,
    )


@claim(
    "two_layer.linear-boundary",
    title="The decision boundary becomes a hyperplane",
    source="this book; after Kou, Chen and Gu 2023",
    theorem="thm-two-limit",
    statement="$f(x) > 0$ where $⟨v₊ − v₋, x⟩ > 0$: on that hyperplane $f$ vanishes.",
)
def linear_boundary() -> Comparison:
    """Evaluate the trained network on 500 random points of the predicted hyperplane."""
    run, X, y = _late_run()
    limit = two_layer_limit(run.net_at(0), X, y)
    normal = limit.v_plus - limit.v_minus
    points = np.random.default_rng(5).standard_normal((500, X.shape[1]))
    on_plane = points - np.outer(points @ normal, normal) / (normal @ normal)
    typical = float(np.abs(run.net.predict(points)).mean())
    measured = float(np.abs(run.net.predict(on_plane)).max()) / typical
    return Comparison(
        "largest $|f|$ on the hyperplane, over a typical $|f|$ off it",
        0.0,
        measured,
        measured,
        "the same; it is of order $1/log τ$",
        1e-3,
    )


@claim(
    "two_layer.relu-limit",
    title="ReLU on orthogonal data: the start decides",
    source="this book; after Kou, Chen and Gu 2023",
    theorem="thm-two-relu",
    statement="A ReLU neuron stays active on the samples of its sign on which it starts active, "
    "and dies on all others; then $αᵢ = 1/(βᵢ‖xᵢ‖²)$, $βᵢ$ the active share of a sample's neurons.",
)
def relu_limit() -> Comparison:
    """Compare directions and t·L of ReLU networks on orthogonal data of unequal norms."""
    X, y = _orthogonal(n=12, d=100, sizes=np.linspace(1, 2, 12), seed=3)
    net = TwoLayerNet.initialize(m=20, d=100, slope=0.0, scale=1e-3, seed=2)
    limit = two_layer_limit(net, X, y)
    late = train_two_layer(net, X, y, step_size=60.0, steps=20_000, schedule="loss_based")
    plain = train_two_layer(net, X, y, step_size=300.0, steps=20_000)
    measured = float(np.exp(plain.log_loss[-1])) / len(y) * int(plain.steps[-1])
    predicted = limit.loss_time() / 300.0
    error = largest(_apart(late.net.W, limit.W), abs(measured - predicted) / predicted)
    return Comparison(
        "$t·L$", predicted, measured, error, "worse of $t·L$, relative, and the direction", 1e-3
    )


@claim(
    "two_layer.relu-rank-bound",
    title="ReLU: stable ranks stay below a constant",
    source=f"{_KOU}; this constant is the book's",
    theorem="thm-two-relu",
    statement="On orthogonal data $sr(W±)$ ends at most at the mean of $1/β$ over the samples of "
    "that sign, weighted by $1/‖x‖²$: about 2, however many samples there are.",
    relation="≥",
)
def relu_rank_bound_holds() -> Comparison:
    """Train 12 networks on 40 samples each and compare with the bound from their starts."""
    X, y = _orthogonal(n=40, d=100, sizes=np.linspace(1, 2, 40), seed=4)
    nets = [TwoLayerNet.initialize(m=25, d=100, slope=0.0, scale=1e-3, seed=s) for s in range(12)]
    runs = train_two_layer_batch(
        nets, X, y, step_size=100.0, steps=3000, schedule="loss_based", record_count=2
    )
    measured = runs.last("stable_rank_signed")
    weights = 1 / np.sum(X**2, axis=1)
    bounds = np.empty_like(measured)
    for k, net in enumerate(nets):
        inputs = net.W @ X.T
        for column, sign in enumerate((1, -1)):
            shares = (inputs[net.signs == sign][:, y == sign] >= 0).mean(axis=0)
            bounds[k, column] = relu_rank_bound(shares, weights[y == sign])
    return _below(
        "bound on sr(W±) and sr(W±), the tightest of 24",
        bounds,
        measured,
        "largest relative excess over the bound",
        1e-6,
    )


@claim(
    "two_layer.relu-wide",
    title="ReLU with many neurons: $2n₊/(n₊ + 1)$",
    source="this book",
    theorem="thm-two-relu",
    statement="For many neurons, $sr(W±)$ tends to $2n±/(n± + 1)$ on orthogonal samples of equal "
    "norm.",
)
def relu_wide() -> Comparison:
    """Train 1000 neurons of either sign on 12 samples."""
    X, y = _orthogonal(n=12, d=60, sizes=np.full(12, 3.0), seed=3)
    m = 1000
    net = TwoLayerNet.initialize(m=m, d=60, slope=0.0, scale=1e-5, seed=0)
    run = train_two_layer(
        net, X, y, step_size=m * 12 / 9, steps=500, schedule="loss_based", record_count=1
    )
    predicted = wide_relu_stable_rank(6)
    measured = float(run.stable_rank_signed[-1].mean())
    return Comparison(
        "$sr(W±)$, mean of both",
        predicted,
        measured,
        abs(measured - predicted) / predicted,
        "relative difference, of order $1/√m$; $m = 1000$",
        0.02,
    )


def _cosine_problem(
    *, d: int, slope: float
) -> tuple[TwoLayerNet, Float[np.ndarray, "8 d"], Float[np.ndarray, "8"]]:
    """Return data and a start written down by cosines and sines, that anyone can reproduce."""
    i, k = np.arange(8)[:, None], np.arange(d)
    X = np.cos(0.9 * (i + 1) * (k + 1) + 0.13 * (i + 1) ** 2 * (k + 1) ** 1.5)
    order = np.arange(1, 20 * d + 1)
    W = 1e-3 * np.sin(0.7 * order**2 + 0.3 * order).reshape(20, d)
    return TwoLayerNet(W, slope=slope), X, np.repeat([1.0, -1.0], 4)


@claim(
    "two_layer.inconsistent",
    title="Where the pattern is inconsistent the closed form fails",
    source="this book",
    theorem="thm-two-slide",
    statement="With 64 features for 8 samples and $ρ = 0.3$ the solution of $Kα = 1$ has neurons "
    "on the wrong side of samples; descent ends elsewhere, by as much as theory says.",
)
def inconsistent() -> Comparison:
    """Compare by how much descent, and theory for sliding neurons, miss the closed form."""
    net, X, y = _cosine_problem(d=64, slope=0.3)
    closed = two_layer_limit(net, X, y, check=False)
    if closed.consistency > 0:
        return Worst().comparison("$1 − cos$", "the pattern is consistent", 1e-3)
    run = train_two_layer(net, X, y, step_size=1.25, steps=5000, schedule="loss_based")
    elsewhere = sliding_limit(net, X, y)
    return Comparison(
        "$1 − cos$ of the angle to the closed form",
        _apart(elsewhere.W, closed.W) ** 2 / 2,
        _apart(run.net.W, closed.W) ** 2 / 2,
        _apart(run.net.W, elsewhere.W),
        "distance of the direction to that of sliding neurons",
        1e-3,
    )


@claim(
    "two_layer.sliding",
    title="Where it ends then: neurons slide along their kinks",
    source="this book",
    theorem="thm-two-slide",
    statement="Where no pattern is consistent but neurons stay active on samples of their own "
    "sign, descent ends at the solution of a convex problem: still of rank one for either sign.",
)
def sliding() -> Comparison:
    """Compare 12 networks on Gaussian data near the threshold, where about half have to slide.

    Some end with a neuron inactive on a sample of its own sign. Of them nothing is claimed.
    """
    slides, worst = 0, Worst()
    problems = [_gaussian(n=20, d=300, m=5, slope=0.3, scale=1e-5, seed=seed) for seed in range(12)]
    runs = train_two_layer_batch(
        [net for net, *_ in problems],
        [X for _, X, *_ in problems],
        problems[0][2],
        step_size=problems[0][3],
        steps=8000,
        schedule="loss_based",
        record_count=2,
    )
    for (net, X, y, _), run in zip(problems, runs, strict=True):
        own = net.signs[:, None] == y
        if not (run.net.W @ X.T > 0)[own].all():
            continue
        limit = sliding_limit(net, X, y)
        slides += bool(limit.sliding.any())
        worst.see(_apart(run.net.W, limit.W), limit.margin, run.normalized_margin[-1])
    if slides < 3 or worst.cases < 6:
        worst = Worst()
    return worst.comparison(
        f"normalized margin, worst of {worst.cases} of 12 networks; {slides} slide",
        f"distance of the two directions, worst of {worst.cases}",
        1e-3,
    )


@claim(
    "two_layer.first-step",
    title="How small a start has to be",
    source=f"after {_KOU}; the sharp form is the book's",
    theorem="lem-two-first",
    statement="On orthogonal data the labels' pattern is there after one step exactly where the "
    "pull of each sample exceeds what the start has on the wrong side of it, and then it stays.",
)
def first_step() -> Comparison:
    """Find the largest scale of 5 starts by theory, and by taking a step and looking."""
    X, y = _orthogonal(n=8, d=50, sizes=np.linspace(1, 2, 8), seed=5)
    worst = Worst()
    for seed in range(5):
        start = np.random.default_rng(seed).standard_normal((20, 50))

        def slack(scale: float, start: Float[np.ndarray, "rows d"] = start) -> float:
            return first_step_slack(TwoLayerNet(scale * start, slope=0.3), X, y, step_size=5.0)

        predicted = float(brentq(slack, 1e-6, 1.0, xtol=1e-12))
        low, high = 0.5 * predicted, 2 * predicted
        for _ in range(40):
            middle = (low + high) / 2
            net = TwoLayerNet(middle * start, slope=0.3)
            right = train_two_layer(net, X, y, step_size=5.0, steps=1).pattern_agreement[-1] == 1
            low, high = (middle, high) if right else (low, middle)
        below = TwoLayerNet(low * start, slope=0.3)
        run = train_two_layer(below, X, y, step_size=5.0, steps=2000)
        error = abs(low - predicted) / predicted if run.last_switch[-1] == 1 else np.nan
        # How far beyond its kink an input is after that step, over how far the step took it.
        half = TwoLayerNet(predicted / 2 * start, slope=0.3)
        after = train_two_layer(half, X, y, step_size=5.0, steps=1).net
        inputs, moved = (np.outer(half.signs, y) * (W @ X.T) for W in (after.W, after.W - half.W))
        beyond = float((inputs / moved).min())
        worst.see([error, abs(slack(predicted / 2) - beyond)], predicted, low)
    return worst.comparison(
        "largest $σ₀$", "relative difference, also of how far half of it goes; worst of 5", 1e-8
    )


@claim(
    "two_layer.gram",
    title="The Gram matrix is all that training needs",
    source="this book",
    statement="Following the inputs $WXᵀ$ through $XXᵀ$ gives the same weights as following $W$.",
)
def gram() -> Comparison:
    """Compare both ways on three problems: a frozen pattern, a sliding one, and ReLU."""
    worst = Worst()
    for slope, d in ((0.5, 400), (0.3, 64), (0.0, 100)):
        net, X, y = _cosine_problem(d=d, slope=slope)
        for schedule in ("constant", "loss_based"):
            by_weights, by_gram = (
                train_two_layer(
                    net, X, y, step_size=0.2, steps=800, schedule=schedule, method=method
                )
                for method in ("weights", "gram")
            )
            error = relative(by_gram.net.W - by_weights.net.W, by_weights.net.W)
            worst.see(error, by_weights.norm[-1], by_gram.norm[-1])
    return worst.comparison("$‖W‖$", "relative distance of the weights, worst of 6", 1e-12)


@claim(
    "two_layer.start",
    title="How small a random start has to be",
    source="this book; after Kou, Chen and Gu 2023",
    theorem="cor-two-start",
    statement="With probability at least $1 − δ$ no input of the start exceeds $σ₀R√(2D "
    "log(2mn/δ))$, $DR²$ the largest $‖x‖²$.",
    relation="≥",
)
def start() -> Comparison:
    """Compare the bounds for δ = ½, 0.1 and 0.02 with those quantiles of 2000 starts."""
    X, _ = _orthogonal(n=10, d=20, sizes=np.full(10, 2.0), seed=6)
    failures = np.array([0.5, 0.1, 0.02])
    most = [
        np.abs(TwoLayerNet.initialize(m=5, d=20, slope=0.3, scale=1e-3, seed=s).W @ X.T).max()
        for s in range(2000)
    ]
    bounds = np.array(
        [start_input_bound(m=5, n=10, scale=1e-3, radius=2.0, failure=f) for f in failures]
    )
    measured = np.quantile(most, 1 - failures)
    return _below(
        "bound on the largest input and its quantile, the tightest of three δ",
        bounds,
        measured,
        "largest relative excess over the bound",
        0.0,
    )


@claim(
    "two_layer.start-shares",
    title="How many neurons find their samples",
    source="this book",
    theorem="thm-two-relu-near",
    statement="With probability at least $1 − δ$ every sample has at the start a share of at "
    "least $½ − √(log(n/δ)/2m)$ active neurons of its sign.",
    relation="≤",
)
def start_shares() -> Comparison:
    """Compare the bounds for δ = ½, 0.1 and 0.02 with those quantiles of 2000 starts."""
    failures = np.array([0.5, 0.1, 0.02])
    least = []
    for seed in range(2000):
        net = TwoLayerNet.initialize(m=100, d=10, slope=0.0, scale=1.0, seed=seed)
        shares = (net.W.reshape(2, 100, 10) >= 0).mean(axis=1)  # of orthonormal samples
        least.append(np.minimum(shares[0, :5].min(), shares[1, 5:].min()))
    bounds = np.array([relu_share_bound(m=100, n=10, failure=f) for f in failures])
    measured = np.quantile(least, failures)
    nearest = int((bounds / measured).argmax())
    return Comparison(
        "bound on the least share and its quantile, the nearest of three $δ$",
        bounds[nearest],
        measured[nearest],
        largest(excess(bounds, measured)),
        "largest relative excess of the bound",
        0.0,
        1 - bounds[nearest] / measured[nearest],
    )


@claim(
    "two_layer.global-margin",
    title="No network of this shape has a larger margin",
    source="after Frei, Vardi, Bartlett, Srebro and Hu 2023; for descent this book",
    theorem="thm-two-best",
    statement="On nearly orthogonal data the limit of a leaky ReLU network from a small start has "
    "the largest normalized margin there is, over all weights; other starts end below it.",
    relation="≥",
)
def global_margin() -> Comparison:
    """Train 12 networks from starts of growing size, each frozen in a pattern of its own."""
    random = np.random.default_rng(7)
    signs = np.triu(random.choice([-1.0, 1.0], size=(8, 8)), 1)
    sizes = [0.07, *np.geomspace(0.1, 30, 11)]
    problems = [
        _built(
            np.ones(8), (signs + signs.T) / (8 * 48), size * random.standard_normal((10, 8)), 0.3
        )
        for size in sizes
    ]
    _, X, y = problems[0]
    nets = [net for net, *_ in problems]
    runs = train_two_layer_batch(
        nets, X, y, step_size=8 * 5 / 1.09, steps=1500, schedule="loss_based", record_count=1
    )
    limit = two_layer_limit(nets[0], X, y)
    measured = runs.last("normalized_margins").min(axis=1)
    return _below(
        "largest normalized margin and that of descent, the nearest of 12 networks",
        np.full(12, limit.margin),
        measured,
        "largest relative excess over the bound",
        0.0,
        # The first start is small: it has to come near.
        0.0 if measured[0] > 0.99 * limit.margin else np.nan,
    )


@claim(
    "two_layer.linear-margin",
    title="The hyperplane is nearly that of a support vector machine",
    source="after Frei, Vardi, Bartlett, Srebro and Hu 2023; the constant is the book's",
    theorem="thm-two-best",
    statement="The decision boundary that a leaky ReLU network tends to has at least $(C − 1 − "
    "2D)/(C − 1 + 2D)$ of the largest margin of any hyperplane.",
    relation="≤",
)
def linear_margin() -> Comparison:
    """Compare on data with C as small as the theorem allows, chosen to make it hard."""
    # Of the first sample all others take something away, and from each other they take nothing.
    products = np.zeros((8, 8))
    products[0, 1:] = products[1:, 0] = -np.resize([-1.0, 1.0], 7) / (8 * 48)
    inputs = 1e-3 * np.random.default_rng(8).standard_normal((10, 8))
    net, X, y = _built(np.ones(8), products, inputs, 0.3)
    run = train_two_layer(net, X, y, step_size=8 * 5 / 1.09, steps=1500, schedule="loss_based")
    best = max_margin(X, y).margin
    normal = run.net.W_plus.mean(axis=0) - run.net.W_minus.mean(axis=0)
    measured = float((y * (X @ normal)).min() / np.linalg.norm(normal))
    predicted = linear_margin_bound(orthogonality=orthogonality(X)) * best
    return Comparison(
        "margin of the hyperplane",
        predicted,
        measured,
        largest(0.0, predicted - measured, measured - best) / best,
        "by which it is below the bound or above the largest margin, over the latter",
        1e-9,
        1 - predicted / measured,
    )


@claim(
    "two_layer.own-pattern",
    title="Any data: only the pattern on own samples matters",
    source="this book",
    theorem="thm-two-own",
    statement="Once no neuron becomes active or inactive on samples of its own sign, descent ends "
    "in the direction that solves one convex problem, wherever else neurons hop.",
)
def own_pattern() -> Comparison:
    """Compare ReLU and leaky ReLU networks on 10 samples in 15 to 400 dimensions."""
    cases = [(d, slope) for d in (15, 50, 400) for slope in (0.0, 0.3)]
    nets = [TwoLayerNet.initialize(m=10, d=d, slope=s, scale=1e-3, seed=100) for d, s in cases]
    data = [nearly_orthogonal(n=10, d=d, seed=0) for d, _ in cases]
    runs = train_two_layer_batch(
        nets,
        [X for X, _ in data],
        data[0].y,
        step_size=[10 * 10 / (2 * d) for d, _ in cases],
        steps=4000,
        schedule="loss_based",
        record_count=2,
    )
    worst = Worst()
    for (X, y), run in zip(data, runs, strict=True):
        limit = own_pattern_limit(run.net, X, y)
        worst.see(_apart(run.net.W, limit.W), limit.margin, run.normalized_margin[-1])
    return worst.comparison(
        "normalized margin, worst of 6 networks",
        "distance of the two directions, of order $1/log τ$; worst of 6",
        3e-3,
    )


@claim(
    "two_layer.relu-nearly-orthogonal",
    title="ReLU on nearly orthogonal data: the limit from a short look",
    source="this book; after Kou, Chen and Gu 2023",
    theorem="thm-two-relu-near",
    statement="On nearly orthogonal data a ReLU neuron never loses a sample of its own sign, and "
    "the own pattern that is there once it has stopped growing gives the limit.",
)
def relu_nearly_orthogonal() -> Comparison:
    """Predict the end from the pattern after 40 steps; some opposite neurons hop all the time."""
    problems = [_gaussian(n=20, d=1000, m=10, slope=0.0, seed=seed) for seed in range(3)]
    nets, data = [net for net, *_ in problems], [X for _, X, *_ in problems]
    y, step = problems[0][2:]
    early, late = (
        train_two_layer_batch(
            nets, data, y, step_size=step, steps=steps, schedule="loss_based", record_count=2
        )
        for steps in (40, 2000)
    )
    worst = Worst()
    for net, X, soon, run in zip(nets, data, early, late, strict=True):
        limit = own_pattern_limit(soon.net, X, y)
        hops = run.last_switch[-1] > 1900
        lost = _lost(net, soon.net, X, y) + _lost(soon.net, run.net, X, y)
        error = _apart(run.net.W, limit.W) + lost if hops else np.nan
        worst.see(error, limit.margin, run.normalized_margin[-1])
    return worst.comparison(
        "normalized margin, worst of 3 networks",
        "distance of the two directions, and samples lost; worst of 3",
        3e-3,
    )


@claim(
    "two_layer.relu-gap",
    title="ReLU on nearly orthogonal data: margins stay together",
    source="equal margins: Kou, Chen and Gu 2023; the constant is the book's",
    theorem="thm-two-relu-near",
    statement="With $C ≥ 48D²/b²$ no neuron loses a sample of its sign, and no two margins ever "
    "differ by more than $log(6D/b)$.",
    relation="≥",
)
def relu_gap() -> Comparison:
    """Take C, step and start at their limits, and norms and shares that pull margins apart."""
    n, m, spread, share = 6, 4, 4.0, 0.5
    norms = np.repeat([1.0, 2.0], 3)
    least = np.minimum.outer(norms, norms) ** 2 / (n * 48 * spread**2 / share**2)
    inputs = np.full((2 * m, n), 0.125)
    inputs[[0, 1, m, m + 1], :3] = -0.125  # on short samples half of the neurons are inactive
    worst = Worst()
    for seed in range(3):
        signs = np.triu(np.random.default_rng(seed).choice([-1.0, 1.0], size=(n, n)), 1)
        net, X, y = _built(norms, (signs + signs.T) * least, inputs, 0.0)
        run = train_two_layer(net, X, y, step_size=n * m / spread, steps=3000)
        margins = run.normalized_margins * run.norm[:, None]
        gap = float((margins.max(axis=1) - margins.min(axis=1)).max())
        bound = relu_gap_bound(share=share, spread=spread)
        lost = _lost(net, run.net, X, y)
        worst.see(largest(excess(gap, bound), lost), bound, gap, room=1 - gap / bound)
    return worst.comparison(
        "bound on $max q − min q$ and its largest value, three data sets",
        "relative excess over the bound, and samples lost",
        0.0,
    )


@claim(
    "two_layer.relu-loss",
    title="ReLU on nearly orthogonal data: the loss",
    source=f"rate: {_KOU}; the constant this book",
    theorem="thm-two-relu-near",
    statement="With $C ≥ 48D²/b²$ and constant steps $t·L$ ends at most at $nm/(ηbR²(1 − b/8))$.",
    relation="≥",
)
def relu_loss() -> Comparison:
    """Take C, step and start at their limits, half of the neurons active on each sample."""
    n, m = 6, 4
    random = np.random.default_rng(0)
    signs = np.triu(random.choice([-1.0, 1.0], size=(n, n)), 1)
    inputs = np.full((2 * m, n), 0.125)
    for column in inputs.T:
        for sign in (0, m):
            column[sign + random.permutation(m)[: m // 2]] *= -1
    net, X, y = _built(np.ones(n), (signs + signs.T) / (n * 192), inputs, 0.0)
    run = train_two_layer(net, X, y, step_size=float(n * m), steps=3000)
    measured = np.exp(run.log_loss[-1:]) / n * run.steps[-1]
    bound = relu_loss_bound(m=m, n=n, step_size=float(n * m), share=0.5, least_square=1.0)
    return _below(
        "bound on t·L and t·L after 3000 steps",
        np.full(1, bound),
        measured,
        "relative excess over the bound",
        0.0,
    )


@claim(
    "two_layer.relu-nearly-orthogonal-rank",
    title="ReLU on nearly orthogonal data: stable ranks stay bounded",
    source=f"{_KOU}; this constant is the book's",
    theorem="thm-two-relu-near",
    statement="With $C ≥ 48D²/b²$ the stable rank of $W₊$ ends at most at $D(C + 1)/(C − 1)·(1/b "
    "+ n₋/(64n₊))$.",
    relation="≥",
)
def relu_nearly_orthogonal_rank() -> Comparison:
    """Give every neuron one sample of its own, on data that let it learn no other."""
    n, m = 4, 4
    y = np.resize([1.0, -1.0], n)
    inputs = np.full((2 * m, n), 0.125)
    for i in range(n):
        own = slice(0, m) if y[i] > 0 else slice(m, 2 * m)
        inputs[own, i] = np.where(np.arange(m) % 2 == i // 2, 0.125, -0.125)
    net, X, y = _built(np.ones(n), -np.outer(y, y) / (n * 192), inputs, 0.0)
    run = train_two_layer(
        net, X, y, step_size=float(n * m), steps=1000, schedule="loss_based", record_count=1
    )
    bound = nearly_orthogonal_rank_bound(share=0.5, orthogonality=orthogonality(X))
    return _below(
        "bound on sr(W±) and sr(W±), the larger",
        np.full(2, bound),
        run.stable_rank_signed[-1],
        "relative excess over the bound, and samples lost",
        0.0,
        float(_lost(net, run.net, X, y)),
    )


CLAIMS = (
    limit_direction,
    equal_margins,
    signed_rank_rate,
    whole_rank,
    whole_rank_any_data,
    loss_constant,
    loss_rate,
    log_domain_loss,
    linear_boundary,
    relu_limit,
    relu_rank_bound_holds,
    relu_wide,
    inconsistent,
    sliding,
    first_step,
    gram,
    start,
    start_shares,
    global_margin,
    linear_margin,
    own_pattern,
    relu_nearly_orthogonal,
    relu_gap,
    relu_loss,
    relu_nearly_orthogonal_rank,
)
