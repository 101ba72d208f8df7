"""How nearly the direction of a net is a KKT point of the maximum-margin problem."""

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.optimize import nnls
from scipy.special import expit, logsumexp
from torch import Tensor, nn

from ibtools._validation import one_of, real
from ibtools.metrics.kinks_of_nets import inputs_of_kinks
from ibtools.metrics.margins_of_nets import NetMargins
from ibtools.models.declared import known_order, stated_order
from ibtools.models.reading import refuse_frozen

# Numbers in the matrix of gradients: 400 MB.
_LARGEST = 50_000_000
# A sample with r kinks has 2^r gradients beside it; this many kinks, the nearest, are taken.
_MOST_KINKS = 6
_MOST_CANDIDATES = 64

_LOSSES = ("exponential", "logistic", "cross_entropy")


class MarginKKT(NamedTuple):
    r"""How nearly :math:`\tilde\theta=\theta/q_{\min}^{1/L}` satisfies the KKT conditions.

    The problem is :math:`\min\tfrac12\|\theta\|^2` subject to :math:`q\ge1`, q all margins.

    Attributes
    ----------
    stationarity
        :math:`\|\tilde\theta-\sum\lambda\nabla q(\tilde\theta)\|`, the ε of an (ε, δ)-KKT point.
    relative_stationarity
        That over :math:`\|\tilde\theta\|`. With the best multipliers from 0 to 1.
    complementarity
        :math:`\delta=\sum\lambda(q(\tilde\theta)-1)`, a sum of terms of at least 0.
    multipliers
        λ ≥ 0: (n,), or (n, k) for k outputs, with 0 for each sample's own class.
    beta
        :math:`\cos\angle(\theta, \sum\lambda\nabla q)`; 0 if all multipliers vanish.
    constraints
        How many margins could have a multiplier.
    """

    stationarity: float
    relative_stationarity: float
    complementarity: float
    multipliers: Float[np.ndarray, "n *k"]
    beta: float
    constraints: int


def margin_kkt(
    net: nn.Module,
    X: ArrayLike | Tensor,
    y: ArrayLike,
    *,
    multipliers: str = "nnls",
    loss: str | None = None,
    slack: float = 0.1,
    kink_tolerance: float = 0.0,
    order: int | None = None,
) -> MarginKKT:
    r"""Return how nearly a net that separates its data is a KKT point of the margin problem.

    There are two ways to multipliers.

    "closed_form"
        Lyu and Li's, one backward pass: λ in proportion to each margin's share in the gradient of
        the loss. With β the cosine between θ and −∇𝓛, the residual is then exactly
        :math:`\sqrt{2(1-\beta)}\,\bar\gamma^{-1/L}`. For the exponential loss

        .. math:: \lambda_n = q_{\min}^{1-2/L}\,\|\theta\|\,\frac{e^{-q_n}}{\|h\|}, \qquad
            h = \sum_n e^{-q_n}\nabla q_n.

    "nnls"
        The best there are: non-negative least squares over the constraints that are nearly
        active, :math:`q(\tilde\theta) \le 1 + \text{slack}`. Euler's identity bounds what that
        costs in complementarity, :math:`\delta \le \text{slack}\cdot\|\tilde\theta\|^2/L`.

    At a kink of a ReLU a net has no gradient, and a limit of gradient flow may sit on many kinks.
    With a `kink_tolerance`, all gradients that the net has close by take part, so that a
    multiplier times any point of their convex hull (Clarke's subdifferential) can be chosen.

    Parameters
    ----------
    net
        A homogeneous net that separates its data: q_min > 0.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    multipliers
        "nnls" or "closed_form".
    loss
        Whose shares "closed_form" takes: for one output "exponential" (the default) or "logistic",
        for k outputs "cross_entropy".

    Other Parameters
    ----------------
    slack
        At least 0; which margins "nnls" takes as nearly active. If their gradients need more than
        400 MB the smallest margins are taken; ``constraints`` tells how many.
    kink_tolerance
        A neuron is on its kink at a sample if its input is at most this fraction of the largest
        input, at that sample, in its layer. 0 for none; a flow that slides along kinks
        stays within some 1e-3 of them. For "nnls" only. Each combination of the upper and lower
        branches of the kinks counts, of the 6 nearest kinks for each sample; where convolutions
        tie neurons together the combinations are more than Clarke's. Seen are relu, leaky_relu,
        abs and clamp(min=0), as modules or called in a ``forward``; other functions with kinks are
        refused, but for pooling, between whose inputs kinks are not seen.
    order
        The order L of a net whose layers cannot be read; it is held against the data.

    Raises
    ------
    NotHomogeneousError
        If the net has no order of homogeneity, or on the data not the one that was declared or
        read off its layers.
    TypeError, ValueError
        If the data do not fit the net, something is not finite, a margin is not positive, or an
        argument is out of its range.

    See Also
    --------
    ibtools.theory.kkt_point : the KKT point near a net, to compare it with.
    neuron_kkt : for the regression of one neuron.

    References
    ----------
    Lyu & Li (2020), approximate KKT points and their multipliers; the best multipliers by
    non-negative least squares and the bound on δ are this book's.

    Examples
    --------
    >>> import torch
    >>> from ibtools.metrics import margin_kkt
    >>> from ibtools.models import DeepLinear
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> _ = net.layers[0].weight.data.copy_(torch.tensor([[3.0, 2.0]]))
    >>> kkt = margin_kkt(net, [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1, 1, -1])
    >>> kkt.relative_stationarity < 1e-14, (49 * kkt.multipliers).round(12)
    (True, array([4., 9., 0.]))
    """
    one_of("multipliers", multipliers, ("nnls", "closed_form"))
    slack = _at_least_zero("slack", slack)
    tolerance = _at_least_zero("kink_tolerance", kink_tolerance)
    if tolerance and multipliers != "nnls":
        raise ValueError(
            f"kink_tolerance is for multipliers='nnls', got {multipliers!r}; leave it out"
        )
    L = stated_order(net, order)
    refuse_frozen(net)
    problem = NetMargins(net, X, y)
    loss = _fitting_loss(loss, problem.outputs)
    rho = float(problem.flat.norm())
    if not rho > 0:
        raise ValueError("net must not be zero, got parameters that all are; train it first")
    # At θ/‖θ‖ margins and gradients are of order 1, however far the net has grown.
    problem.scale_parameters(1 / rho)
    known_order(problem.net, problem.X, order)
    unit = problem.flat
    q = problem.values().cpu().numpy()
    margin = float(q.min())
    if not margin > 0:
        raise ValueError(
            f"net must separate its data, got a smallest margin of {margin * rho**L:g}; train "
            "it further, or drop the samples it gets wrong"
        )
    constraints = q.size
    if multipliers == "closed_form":
        shares = _shares(q * rho**L, loss)
        h = problem.combination(torch.as_tensor(shares, device=unit.device))
        combined = h / h.norm()
        weights = shares / float(h.norm())
    else:
        chosen = _nearly_active(q, slack, unit.numel())
        constraints = len(chosen)
        weights = np.zeros(q.size)
        gradients, owners = _gradients(problem, chosen, tolerance)
        mu = _least_squares(gradients, unit)
        np.add.at(weights, chosen[owners], mu)
        weights = weights.reshape(q.shape)
        combined = torch.as_tensor(mu, device=unit.device) @ gradients
    length = margin ** (-1 / L)
    left, size = float((unit - combined).norm()), float(combined.norm())
    lam = weights * margin ** (1 - 2 / L)
    return MarginKKT(
        stationarity=left * length,
        relative_stationarity=left,
        complementarity=float((lam * (q / margin - 1)).sum()),
        multipliers=problem.margins.per_class(lam),
        beta=max(-1.0, min(1.0, float(unit @ combined) / size)) if size > 0 else 0.0,
        constraints=constraints,
    )


def _at_least_zero(name: str, value: float) -> float:
    number = real(name, value)
    if number < 0:
        raise ValueError(f"{name} must be at least 0, got {number:g}; give 0 or more")
    return number


def _fitting_loss(loss: str | None, outputs: int) -> str:
    if loss is None:
        return "exponential" if outputs == 1 else "cross_entropy"
    one_of("loss", loss, _LOSSES)
    if (loss == "cross_entropy") != (outputs > 1):
        raise ValueError(
            f"loss {loss!r} does not fit a net with {outputs} output(s); 'exponential' and "
            "'logistic' are for one output, 'cross_entropy' for one for each class"
        )
    return loss


def _shares(margins: Float[np.ndarray, "n c"], loss: str) -> Float[np.ndarray, "n c"]:
    """Return −∂𝓛/∂s at each margin s, over the largest of them."""
    log_shares = -margins
    if loss == "logistic":
        log_shares = log_shares + np.log(expit(margins))
    if loss == "cross_entropy":
        log_shares = log_shares - np.logaddexp(0, logsumexp(-margins, axis=1))[:, None]
    return np.exp(log_shares - log_shares.max())


def _nearly_active(q: Float[np.ndarray, "n c"], slack: float, p: int) -> Int[np.ndarray, " m"]:
    """Return the nearly active margins, as indices into the flattened table, in order."""
    flat = q.reshape(-1)
    chosen = np.flatnonzero(flat <= flat.min() * (1 + slack))
    most = max(1, _LARGEST // p)
    if chosen.size > most:
        chosen = np.sort(chosen[np.argsort(flat[chosen])[:most]])
    return chosen


def _gradients(
    problem: NetMargins, chosen: Int[np.ndarray, " m"], tolerance: float
) -> tuple[Float[Tensor, "r p"], Int[np.ndarray, " r"]]:
    """Return gradients of the chosen margins, and to which of them each belongs."""
    flat = torch.as_tensor(chosen, device=problem.X.device)
    width = problem.margins.each
    samples, columns = torch.div(flat, width, rounding_mode="floor"), flat % width
    everyone = np.arange(len(chosen))
    if not tolerance:
        return problem.gradients(samples, columns), everyone
    inputs = inputs_of_kinks(problem.net, problem.X[samples])
    if not inputs:
        return problem.gradients(samples, columns), everyone
    near = _near_kinks(inputs, tolerance)
    # On a kink PyTorch's functions take either branch, or the mean of both.
    here = problem.gradients(samples, columns, [z > 0 for z in inputs])
    # A neuron that sees only zeros is always at 0, and its branch changes nothing: not a kink.
    owners = np.repeat(everyone, [len(found) for found in near])
    flips = [[kink] for found in near for kink in found]
    single = _on_branches(problem, samples, columns, inputs, owners, flips)
    moved = (single - here[owners]).norm(dim=1) > 1e-12 * here.norm(dim=1)[owners]
    kinks: list[list[tuple[int, int]]] = [[] for _ in near]
    for owner, flip, counts in zip(owners.tolist(), flips, moved.tolist(), strict=True):
        if counts and len(kinks[owner]) < _MOST_KINKS:
            kinks[owner] += flip
    more, patterns = [], []
    for owner, found in enumerate(kinks):
        for pattern in product((False, True), repeat=len(found)):
            if any(pattern):
                more.append(owner)
                patterns.append([kink for kink, on in zip(found, pattern, strict=True) if on])
    rows = _on_branches(problem, samples, columns, inputs, np.array(more, dtype=int), patterns)
    return torch.cat([here, rows]), np.concatenate([everyone, np.array(more, dtype=int)])


def _near_kinks(
    inputs: list[Float[Tensor, "m ..."]], tolerance: float
) -> list[list[tuple[int, int]]]:
    """Return for each sample the neurons near their kinks, nearest first: (call, entry) pairs."""
    near: list[list[tuple[float, int, int]]] = [[] for _ in range(len(inputs[0]))]
    for call, z in enumerate(inputs):
        size = z.flatten(1).abs()
        share = size / size.amax(dim=1, keepdim=True).clamp(min=1e-300)
        for row, entry in torch.nonzero(share <= tolerance).tolist():
            near[row].append((float(share[row, entry]), call, entry))
    return [[kink[1:] for kink in sorted(found)[:_MOST_CANDIDATES]] for found in near]


def _on_branches(
    problem: NetMargins,
    samples: Int[Tensor, " m"],
    columns: Int[Tensor, " m"],
    inputs: list[Float[Tensor, "m ..."]],
    owners: Int[np.ndarray, " r"],
    flips: list[list[tuple[int, int]]],
) -> Float[Tensor, "r p"]:
    """Return the owners' gradients with the listed neurons on the other branches."""
    if not flips:
        return torch.zeros(0, problem.flat.numel(), dtype=torch.float64, device=problem.X.device)
    rows = torch.as_tensor(owners, device=problem.X.device)
    branches = [(z > 0)[rows] for z in inputs]
    for row, kinks in enumerate(flips):
        for call, entry in kinks:
            branch = branches[call].view(len(flips), -1)
            branch[row, entry] = ~branch[row, entry]
    return problem.gradients(samples[rows], columns[rows], branches)


def _least_squares(
    gradients: Float[Tensor, "r p"], target: Float[Tensor, " p"]
) -> Float[np.ndarray, " r"]:
    """Return μ ≥ 0 of least ‖target − Σμ·gradient‖."""
    if len(gradients) < len(target):
        # The residual outside the span of the gradients does not depend on μ.
        Q, R = torch.linalg.qr(gradients.T)
        gradients, target = R.T, Q.T @ target
    A = gradients.T.cpu().numpy()
    return np.asarray(nnls(A, target.cpu().numpy(), maxiter=30 * A.shape[1])[0])
