"""Gradient descent on two-layer ReLU and leaky ReLU networks, and what it records."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar, overload

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from ibtools._threads import one_thread
from ibtools._validation import (
    count,
    of_kind,
    offering,
    one_of,
    place,
    plain,
    positive,
    quiet,
    real,
    vector,
)
from ibtools.metrics.rank import margin_spread
from ibtools.models.two_layer import TwoLayerNet, signed_problem
from ibtools.trainers.two_layer.gram import (
    LOSSES,
    SCHEDULES,
    GramDescent,
    Snapshot,
    State,
    WeightDescent,
)
from ibtools.trainers.warning import TrainingWarning


@dataclass(frozen=True, eq=False)
class TwoLayerRun:
    r"""The path of one two-layer network, and how it ended.

    With t records and n samples:

    Attributes
    ----------
    steps
        Steps taken at each record, (t,), increasing from 0.
    log_time
        log τ, (t,), with τ = Σ η over the steps so far; −∞ at the start.
    log_loss
        Log of the loss summed over samples, (t,).
    norm
        ‖W‖, Frobenius, (t,).
    stable_rank
        Of the whole W, (t,); NaN where W is 0.
    stable_rank_signed
        Of W₊ and of W₋, (t, 2).
    normalized_margins
        yᵢf(xᵢ)/‖W‖ of each sample, (t, n).
    pattern_agreement
        Share of the pairs of neuron and sample that are active exactly where the neuron's sign is
        the label, (t,).
    pattern_switches
        How often a neuron became active or inactive on a sample so far, (t,).
    last_switch
        The last step so far that did so, (t,); 0 where none did.
    net
        The network at the end.
    converged
        Whether it went as asked: all steps taken, or the asked loss reached, and the loss lower
        than at the start.
    message
        Why the run ended.
    method
        How it was trained: ``"gram"`` or ``"weights"``.
    """

    steps: Int[np.ndarray, " t"]
    log_time: Float[np.ndarray, " t"]
    log_loss: Float[np.ndarray, " t"]
    norm: Float[np.ndarray, " t"]
    stable_rank: Float[np.ndarray, " t"]
    stable_rank_signed: Float[np.ndarray, "t 2"]
    normalized_margins: Float[np.ndarray, "t n"]
    pattern_agreement: Float[np.ndarray, " t"]
    pattern_switches: Int[np.ndarray, " t"]
    last_switch: Int[np.ndarray, " t"]
    net: TwoLayerNet
    converged: bool
    message: str
    method: str
    _start: TwoLayerNet = field(repr=False)
    _X: Float[np.ndarray, "n d"] = field(repr=False)
    _y: Float[np.ndarray, " n"] = field(repr=False)
    _positions: tuple[Float[np.ndarray, "rows _"] | None, ...] = field(repr=False)
    _state: State = field(repr=False)

    @property
    def normalized_margin(self) -> Float[np.ndarray, " t"]:
        """The smallest of the normalized margins, (t,)."""
        return self.normalized_margins.min(axis=1)

    @property
    def margin_spread(self) -> Float[np.ndarray, " t"]:
        """How far the margins are from being equal, (t,): `ibtools.metrics.margin_spread`."""
        return margin_spread(self.normalized_margins)

    def net_at(self, index: int) -> TwoLayerNet:
        """Return the network at record `index` (negative counts from the end).

        Parameters
        ----------
        index
            The place of the record, from 0; −1 is the last.

        Raises
        ------
        IndexError
            If there is no such record.
        ValueError
            If its weights were not kept: a batch keeps those of the last record only.
        """
        position = self._positions[place("index", index, len(self.steps))]
        if position is None:
            raise ValueError(
                f"the weights of record {index} were not kept: a batch keeps those of the last "
                "record only; train this network by itself, with train_two_layer"
            )
        return _net_from(self._start, self._X, position, self.method)

    def __repr__(self) -> str:
        """Say how far the run came and why it ended."""
        return (
            f"{type(self).__name__}({len(self.steps)} records to step {self.steps[-1]}, log time "
            f"{self.log_time[-1]:.4g}, log loss {self.log_loss[-1]:.4g}, "
            f"converged={self.converged}: {self.message})"
        )


class TwoLayerBatch(Sequence[TwoLayerRun]):
    """Networks trained as one: ``batch[i]`` is the `TwoLayerRun` of the i-th."""

    def __init__(self, runs: Sequence[TwoLayerRun]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, index: int) -> TwoLayerRun: ...

    @overload
    def __getitem__(self, index: slice) -> "TwoLayerBatch": ...

    def __getitem__(self, index: int | slice) -> "TwoLayerRun | TwoLayerBatch":
        """Return one run, or a batch of those in a slice."""
        if isinstance(index, slice):
            return TwoLayerBatch(self._runs[index])
        return self._runs[index]

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._runs)

    @property
    def converged(self) -> bool:
        """Whether every run went as asked."""
        return all(run.converged for run in self._runs)

    def last(self, name: str) -> Shaped[np.ndarray, "B ..."]:
        """Return the last record of every run: of the attribute `name`, stacked, (B, …).

        Parameters
        ----------
        name
            Of an attribute of `TwoLayerRun` that has an entry a record, such as "stable_rank".

        Examples
        --------
        >>> import numpy as np
        >>> from ibtools.models import TwoLayerNet
        >>> from ibtools.trainers import train_two_layer_batch
        >>> W = [[1e-3, 2e-3], [3e-3, -1e-3]]
        >>> nets = [TwoLayerNet(W, slope=0.0), TwoLayerNet(W, slope=1.0)]
        >>> runs = train_two_layer_batch(nets, np.eye(2), [1, -1], step_size=1.0, steps=10)
        >>> runs.last("stable_rank").shape, runs.last("normalized_margins").shape
        ((2,), (2, 2))
        """
        one_of("name", name, (*Snapshot._fields, "normalized_margin", "margin_spread"))
        return np.stack([np.asarray(getattr(run, name)[-1]) for run in self._runs])

    def __repr__(self) -> str:
        """Say how many runs there are and how many went as asked."""
        good = sum(run.converged for run in self._runs)
        return f"{type(self).__name__}({len(self)} runs, {good} of them converged)"


def train_two_layer(
    net: TwoLayerNet,
    X: ArrayLike,
    y: ArrayLike,
    *,
    step_size: float,
    steps: int,
    loss: str = "logistic",
    schedule: str = "constant",
    until_log10_loss: float | None = None,
    record_count: int = 100,
    method: str = "gram",
    resume: TwoLayerRun | None = None,
) -> TwoLayerRun:
    r"""Train the first layer by gradient descent on the mean loss.

    .. math:: W \leftarrow W - \eta_t\,\nabla L(W), \qquad
        L(W) = \frac1n \sum_{i=1}^{n} \ell\big(y_i f(W; x_i)\big)

    Parameters
    ----------
    net
        The network at the start.
    X, y
        The problem: X (n, d), finite, and labels ±1, (n,).
    step_size
        η > 0, *on the mean loss*, as in the paper. Records speak of the loss summed over samples,
        as everywhere in this package; a step on the sum would be η/n.
    steps
        Number of steps, at least 0; with `resume`, in total.
    loss
        ``"logistic"``, log(1 + e^{−q}), or ``"exponential"``, e^{−q}.
    schedule
        ``"constant"``: η_t = η. ``"loss_based"``: η_t = η/L(W_t), the gradient step on log L. The
        loss then falls by about the same factor at each step, and the time τ = Σ η_t grows like
        it: a thousand steps reach a log τ that constant steps would not in any lifetime.

    Returns
    -------
    TwoLayerRun
        What was recorded, the network at the end, and how it ended.

    Other Parameters
    ----------------
    until_log10_loss
        log₁₀ of the summed loss at which to stop earlier; default never.
    record_count
        About how many records to take, at least 1, at steps spaced geometrically; the start and
        the end are always among them.
    method
        ``"gram"``: follow the inputs WXᵀ through the Gram matrix of the data, exactly; for n below
        d much quicker. ``"weights"``: follow W itself, as anyone would write it.
    resume
        A run from the same network on the same data to go on from: one that was interrupted, say.

    Raises
    ------
    ValueError
        If the problem is not finite, does not fit the network or has labels other than ±1; if a
        number or a name is out of its range; or if `resume` is the run of something else.

    Warns
    -----
    TrainingWarning
        If weights overflow (the exponential loss from steps that are too large), the asked loss is
        not reached, the loss ends no lower than it started, or on an interruption (Ctrl-C). The
        run holds what there is, with ``converged=False``.

    See Also
    --------
    train_two_layer_batch : many networks at once.
    margin_flow : for a PyTorch net with all its layers.
    ibtools.theory.two_layer_limit : where it ends, without training.

    Notes
    -----
    Each step adds combinations of samples to W, so W_t = W₀ + A_t X. All that a step needs of W are
    the inputs Z = WXᵀ, (2m, n), and these move by A's change times XXᵀ. While no neuron becomes
    active or inactive on a sample, the margins are a linear function of n accumulated weights, and
    not even Z needs to be followed. Both are exact; only rounding differs.

    References
    ----------
    Kou, Chen and Gu (2023).

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.trainers import train_two_layer
    >>> net = TwoLayerNet.initialize(m=5, d=4, slope=0.5, scale=1e-3, seed=0)
    >>> run = train_two_layer(
    ...     net, np.eye(4), [1, 1, -1, -1], step_size=1.0, steps=3000, schedule="loss_based"
    ... )
    >>> run.converged, run.stable_rank_signed[-1].round(5), float(run.stable_rank[-1].round(3))
    (True, array([1., 1.]), 1.111)
    """
    one_of("method", method, ("gram", "weights"))
    of_kind("net", net, TwoLayerNet)
    X, y = signed_problem(X, y, columns=net.W.shape[1])
    options = _options(steps, loss, schedule, until_log10_loss, record_count)
    rate = np.array([positive("step_size", step_size)])
    old = None if resume is None else [resume]
    return _train([net], [X], [y], rate, options, method, old, keep=True)[0]


def train_two_layer_batch(
    nets: Sequence[TwoLayerNet],
    X: ArrayLike | Sequence[ArrayLike],
    y: ArrayLike | Sequence[ArrayLike],
    *,
    step_size: float | ArrayLike,
    steps: int,
    loss: str = "logistic",
    schedule: str = "constant",
    until_log10_loss: float | None = None,
    record_count: int = 30,
    resume: TwoLayerBatch | None = None,
) -> TwoLayerBatch:
    """Train many two-layer networks at once, for instance over seeds, slopes and dimensions.

    Through Gram matrices the dimension d of the data does not appear, so networks of different d
    go side by side; they must agree in the number of samples and of neurons.

    Parameters
    ----------
    nets
        The B networks at the start, all with the same m.
    X, y
        One problem for all, (n, d) and (n,), or a sequence of B of either, with n the same.
    step_size
        η > 0 on the mean loss, one for all or one for each, (B,).
    steps, loss, schedule, record_count
        As for `train_two_layer`.
    until_log10_loss
        As for `train_two_layer`; each network stops when its own loss is there.
    resume
        The batch to go on from.

    Returns
    -------
    TwoLayerBatch
        The runs, in the order of `nets`. Of weights, only those at the end are kept.

    Raises
    ------
    ValueError
        As `train_two_layer`, and if the problems or networks do not fit each other.

    Warns
    -----
    TrainingWarning
        As `train_two_layer`, once for all, with the number of runs concerned.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import TwoLayerNet
    >>> from ibtools.trainers import train_two_layer_batch
    >>> seeds, data = range(3), np.eye(6)
    >>> nets = [TwoLayerNet.initialize(m=4, d=6, slope=0.3, scale=1e-3, seed=s) for s in seeds]
    >>> runs = train_two_layer_batch(
    ...     nets, data, [1, -1] * 3, step_size=1.0, steps=500, schedule="loss_based"
    ... )
    >>> runs.last("stable_rank_signed").round(3)
    array([[1., 1.],
           [1., 1.],
           [1., 1.]])
    """
    offering("nets", nets, "__iter__", mend="give a list of TwoLayerNet")
    nets = list(nets)
    if not nets:
        raise ValueError("nets is empty; give at least one network")
    for i, net in enumerate(nets):
        of_kind(f"nets[{i}]", net, TwoLayerNet)
    if any(net.m != nets[0].m for net in nets):
        raise ValueError(
            f"nets must have the same number of neurons, got m from {min(n.m for n in nets)} to "
            f"{max(n.m for n in nets)}; train those of different m in batches of their own"
        )
    data = _for_each("X", X, len(nets), ndim=2)
    labels = _for_each("y", y, len(nets), ndim=1)
    problems: dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]] = {}
    pairs = []
    for net, rows, values in zip(nets, data, labels, strict=True):
        key = (id(rows), id(values), net.W.shape[1])
        if key not in problems:
            problems[key] = signed_problem(rows, values, columns=net.W.shape[1])
        pairs.append(problems[key])
    sizes = {len(pair[1]) for pair in pairs}
    if len(sizes) > 1:
        raise ValueError(
            f"X must have the same number of rows in every problem, got {sorted(sizes)}; train "
            "those of different n in batches of their own"
        )
    rate = np.asarray(step_size)
    if rate.ndim == 0:
        rates = np.full(len(nets), positive("step_size", step_size))
    else:
        rates = vector("step_size", rate, size=len(nets))
        if not (rates > 0).all():
            raise ValueError(
                f"step_size must be greater than 0, got {rates.min():g}; give positive numbers"
            )
    options = _options(steps, loss, schedule, until_log10_loss, record_count)
    if resume is not None and len(resume) != len(nets):
        raise ValueError(
            f"resume must hold one run for each of the {len(nets)} networks, got {len(resume)}; "
            "give the batch that these networks were trained in"
        )
    old = None if resume is None else list(resume)
    runs = _train(
        nets, [p[0] for p in pairs], [p[1] for p in pairs], rates, options, "gram", old, keep=False
    )
    return TwoLayerBatch(runs)


class _Options(NamedTuple):
    steps: int
    loss: str
    schedule: str
    target: float
    record_count: int


def _options(
    steps: int, loss: str, schedule: str, until_log10_loss: float | None, record_count: int
) -> _Options:
    target = -np.inf
    if until_log10_loss is not None:
        target = real("until_log10_loss", until_log10_loss) * math.log(10)
    return _Options(
        count("steps", steps, least=0),
        one_of("loss", loss, LOSSES),
        one_of("schedule", schedule, SCHEDULES),
        target,
        count("record_count", record_count),
    )


def _train(
    nets: list[TwoLayerNet],
    X: list[np.ndarray],
    y: list[np.ndarray],
    step_size: np.ndarray,
    options: _Options,
    method: str,
    old: list[TwoLayerRun] | None,
    *,
    keep: bool,
) -> list[TwoLayerRun]:
    kind = GramDescent if method == "gram" else WeightDescent
    descent = kind(
        nets,
        X,
        y,
        step=step_size,
        loss=options.loss,
        schedule=options.schedule,
        target=options.target,
    )
    if old is not None:
        _take_up(descent, nets, X, y, old, method)
    done = int(descent.state.steps.max())
    largest = max(max(*net.W.shape, len(data)) for net, data in zip(nets, X, strict=True)) ** 2
    taken = [(descent.snapshot(), descent.state.position)]
    interrupted = False

    def record() -> None:
        if (descent.state.steps > taken[-1][0].steps).any():
            taken.append((descent.snapshot(), descent.state.position))

    with (
        one_thread(largest),
        tqdm(total=options.steps, initial=done, desc="descent", disable=quiet(), delay=1) as bar,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        try:
            for stop in _grid(options.steps, options.record_count):
                while done < stop and descent.state.running.any():
                    done += descent.advance(stop - done)
                    bar.update(done - bar.n)
                record()
        except KeyboardInterrupt:
            interrupted = True
            record()
    runs = []
    for i, net in enumerate(nets):
        positions: list[np.ndarray | None] = [position[i] for _, position in taken]
        if not keep:
            positions[:-1] = [None] * (len(positions) - 1)
        snapshots = [_entry(Snapshot, snapshot, i) for snapshot, _ in taken]
        state = _entry(State, descent.state, i)
        before = None if old is None else old[i]
        run = _run_of(
            net, X[i], y[i], snapshots, positions, state, options, method, interrupted, before
        )
        runs.append(run)
    _warn(runs)
    return runs


Parts = TypeVar("Parts", Snapshot, State)


def _entry(kind: type[Parts], parts: Parts, i: int) -> Parts:
    """Return the i-th of B, with an axis of size 1 in their place."""
    return kind(*(part[i : i + 1] for part in parts))


def _run_of(
    net: TwoLayerNet,
    X: np.ndarray,
    y: np.ndarray,
    snapshots: list[Snapshot],
    positions: list[np.ndarray | None],
    state: State,
    options: _Options,
    method: str,
    interrupted: bool,
    before: TwoLayerRun | None,
) -> TwoLayerRun:
    """Return the run of one network, after the records of the run it goes on from."""
    columns = {
        name: np.concatenate([getattr(snapshot, name) for snapshot in snapshots])
        for name in Snapshot._fields
    }
    position = positions[-1]
    assert position is not None  # the last one always is kept
    # A network that stopped before others of its batch repeats its last record.
    fresh = np.flatnonzero(np.diff(columns["steps"], prepend=-1) > 0)
    columns = {name: column[fresh] for name, column in columns.items()}
    positions = [*(positions[i] for i in fresh[:-1]), position]
    if before is not None:
        columns = {
            name: np.concatenate([getattr(before, name), column[1:]])
            for name, column in columns.items()
        }
        positions = (
            [*before._positions, *positions[1:]]
            if len(fresh) > 1
            else [
                *before._positions[:-1],
                position,
            ]
        )
    steps, log_loss = int(columns["steps"][-1]), columns["log_loss"]
    reached = bool(log_loss[-1] <= options.target)
    good = False
    if not state.finite[0]:
        message = (
            f"the weights overflowed at step {steps + 1}: step_size is too large for the "
            f"{options.loss} loss here, lower it"
        )
    elif reached:
        message, good = f"reached the asked loss at step {steps}", True
    elif interrupted:
        message = f"interrupted at step {steps} of {options.steps}; resume= goes on from here"
    elif options.target > -np.inf:
        message = (
            f"took {steps} steps, and log10 of the loss is {log_loss[-1] / math.log(10):.4g}, "
            f"above the asked {options.target / math.log(10):.4g}; take more steps, or "
            "schedule='loss_based'"
        )
    elif steps and log_loss[-1] >= log_loss[0]:
        message = (
            f"took {steps} steps, and the log loss went from {log_loss[0]:.4g} to "
            f"{log_loss[-1]:.4g}; step_size is too large here, lower it"
        )
    else:
        message, good = f"took the {steps} steps asked for", True
    return TwoLayerRun(
        **columns,
        net=_net_from(net, X, position, method),
        converged=good,
        message=message,
        method=method,
        _start=net,
        _X=X,
        _y=y,
        _positions=tuple(positions),
        _state=state,
    )


def _net_from(start: TwoLayerNet, X: np.ndarray, position: np.ndarray, method: str) -> TwoLayerNet:
    return TwoLayerNet(start.W + position @ X if method == "gram" else position, slope=start.slope)


def _take_up(
    descent: "GramDescent | WeightDescent",
    nets: list[TwoLayerNet],
    X: list[np.ndarray],
    y: list[np.ndarray],
    old: list[TwoLayerRun],
    method: str,
) -> None:
    """Put the descent where the old runs ended, if they are runs of the same networks and data."""
    for net, data, labels, run in zip(nets, X, y, old, strict=True):
        same = (
            run.method == method
            and np.array_equal(run._start.W, net.W)
            and run._start.slope == net.slope
            and np.array_equal(run._X, data)
            and np.array_equal(run._y, labels)
        )
        if not same:
            raise ValueError(
                f"resume must be a run of the same network on the same data by method={method!r}, "
                f"got {run!r}; pass the network and the data that it started from"
            )
    state = State(
        *(np.concatenate(part) for part in zip(*(run._state for run in old), strict=True))
    )
    descent.state = state._replace(running=state.finite.copy())


def _grid(steps: int, record_count: int) -> list[int]:
    """Return the steps at which to record, spaced geometrically, the last included."""
    if steps == 0:
        return []
    return sorted({int(stop) for stop in np.rint(np.geomspace(1, steps, record_count))} | {steps})


def _for_each(
    name: str, value: ArrayLike | Sequence[ArrayLike], number: int, *, ndim: int
) -> list[ArrayLike]:
    """Return one `value` of `ndim` axes `number` times, or a sequence of so many as a list."""
    entries: list[ArrayLike] = (
        list(value) if isinstance(value, list | tuple) else list(np.atleast_1d(plain(name, value)))
    )
    if not entries or np.ndim(entries[0]) < ndim:
        return [value] * number  # type: ignore[list-item]
    if len(entries) != number:
        raise ValueError(
            f"{name} must be one for all or one for each of the {number} networks, got "
            f"{len(entries)}; give as many as there are networks"
        )
    return entries


def _warn(runs: list[TwoLayerRun]) -> None:
    bad = [run for run in runs if not run.converged]
    if not bad:
        return
    which = "" if len(runs) == 1 else f"{len(bad)} of {len(runs)} runs, the first of which "
    warnings.warn(f"descent: {which}{bad[0].message}", TrainingWarning, stacklevel=4)
