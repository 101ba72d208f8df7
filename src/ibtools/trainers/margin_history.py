"""What a run on a classification problem records: margins against time, in the log domain."""

import copy
import json
import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from ibtools.metrics.margins import (
    inverse_loss,
    layer_product_margin,
    modified_descent_margin,
    normalized_margin,
    smoothed_margin,
)
from ibtools.models.homogeneity import (
    NotHomogeneousError,
    Order,
    check_gap,
    check_order,
    order_of,
)
from ibtools.trainers._classification import Problem

Net = TypeVar("Net", bound=nn.Module)
Column = Float[np.ndarray, " t"]

# Records keep all parameters up to this many numbers (64 MB), and beyond it the last ones only.
_KEPT = 8_000_000


@runtime_checkable
class Offset(Protocol):
    """What is known of a net that is only nearly homogeneous: its order, and how far off it is.

    Where it has a ``radius``, it is for inputs of at most this norm.
    """

    @property
    def order(self) -> int:
        """M, the power with which outputs grow."""
        ...

    def gap_bound(self, r: Any) -> Any:
        """Return p_a(r), a bound on |f − f_H| at ‖θ‖ = r."""
        ...

    @property
    def of_differences(self) -> bool:
        """Whether the bound is on differences of two outputs, as margins between classes are."""
        ...


def order_of_run(problem: Problem, offset: Offset | None) -> Order:
    """Return how the net's margins grow: as `offset` says, where there is one.

    Raises
    ------
    ValueError
        If `offset` bounds single outputs and the loss compares them, or is for shorter inputs.
    NotHomogeneousError
        If there is no `offset` and the growth of the outputs is not known, or the outputs on the
        data are not as was read or as `offset` says.
    """
    net, X = problem.net, problem.X
    if offset is None:
        order = order_of(net)
        check_order(net, X, order)
        return order
    if problem.loss == "cross_entropy" and not offset.of_differences:
        raise ValueError(
            "offset bounds each output by itself, but loss 'cross_entropy' compares two of them; "
            "pass its bounds on differences, offset.differences()"
        )
    radius = getattr(offset, "radius", math.inf)
    longest = float(X.flatten(1).double().norm(dim=1).max())
    if longest > radius * (1 + 1e-6):
        raise ValueError(
            f"offset must be for all inputs, got radius={radius:g} and an input of norm "
            f"{longest:.6g}; derive it with near_homogeneity(net, radius={longest * 1.01:.3g})"
        )
    check_gap(
        net,
        X,
        order=offset.order,
        gap_bound=offset.gap_bound,
        of_differences=offset.of_differences,
    )
    try:
        return replace(order_of(net), degree=offset.order)
    except NotHomogeneousError as error:
        return Order(offset.order, defect=str(error))


@dataclass(frozen=True, eq=False)
class MarginRun(Generic[Net]):
    """The path of a run on a classification problem, and how it ended.

    All columns have one entry for each record, (t,). Losses are sums over samples.

    Attributes
    ----------
    steps
        Updates made so far.
    evaluations
        Passes over the data made so far, forward ones, accepted or not.
    log_time
        log t of gradient flow on 𝓛; of descent t = Σ step sizes on 𝓛. −inf at the start.
    effective_time
        ∫𝓛 dt, the time of the flow on log 𝓛.
    log_loss
        log 𝓛.
    norm
        ρ = ‖θ‖.
    minimum_margin
        q_min = min yₙΦ(θ; xₙ); with k classes the least Φ_y − Φ_j.
    gradient_alignment
        β = cos∠(θ, −∇𝓛), −1 to 1.
    gradient_norm
        ‖∇log 𝓛‖.
    slack
        Σ v (s − q_min), with v the weights of the margins s in −∇log 𝓛.
    alignment
        cos∠(θ, displacement since the last record). NaN at the first record.
    layer_norms
        Norm of each layer's parameters, (t, k).
    step_size
        Of the last update: on 𝓛 for a constant step, else on log 𝓛. NaN before the first.
    smoothed_margin_drops
        At how many updates so far the smoothed margin fell by more than rounding; counted from
        𝓛 < ℓ(0) on, where gradient flow never lowers it.
    order
        Power of ρ in the margins.
    exponents
        Power of each layer's norm, or ``None`` where layers cannot be scaled one by one.
    loss
        Name of the loss.
    net
        The net at the last record.
    converged
        Whether the asked loss was reached.
    message
        Why the run ended.
    """

    steps: Int[np.ndarray, " t"]
    evaluations: Int[np.ndarray, " t"]
    log_time: Column
    effective_time: Column
    log_loss: Column
    norm: Column
    minimum_margin: Column
    gradient_alignment: Column
    gradient_norm: Column
    slack: Column
    alignment: Column
    layer_norms: Float[np.ndarray, "t k"]
    step_size: Column
    smoothed_margin_drops: Int[np.ndarray, " t"]
    order: int
    exponents: tuple[int, ...] | None
    loss: str
    net: Net
    converged: bool
    message: str
    offset: Offset | None = None
    _states: Float[np.ndarray, "t p"] | None = field(default=None, repr=False)
    _restore: Callable[[np.ndarray], Net] | None = field(default=None, repr=False)
    _progress: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def log10_inverse_loss(self) -> Column:
        """log₁₀(1/𝓛), (t,)."""
        return -self.log_loss / np.log(10.0)

    @property
    def normalized_margin(self) -> Column:
        """γ̄ = q_min/ρ^L, (t,); NaN where ρ = 0."""
        return normalized_margin(self.minimum_margin, self._norm(), self.order)

    @property
    def smoothed_margin(self) -> Column:
        """γ̃ = ℓ⁻¹(𝓛)/ρ^L, (t,); negative while 𝓛 > ℓ(0), NaN where ρ = 0."""
        return smoothed_margin(self.log_loss, self._norm(), self.order, self.loss)

    @property
    def layer_product_margin(self) -> Column:
        """q_min/Π‖wᵢ‖^kᵢ, (t,).

        Raises
        ------
        ValueError
            If the layers cannot be scaled one by one.
        """
        if self.exponents is None:
            raise ValueError(
                "layer_product_margin needs a net whose layers can be scaled one by one; a skip "
                "connection or product ties them together: use normalized_margin"
            )
        return layer_product_margin(self.minimum_margin, self.layer_norms, self.exponents)

    @property
    def modified_margin(self) -> Column:
        """The margin that theory proves to grow for this run, (t,); NaN before it applies.

        For a net that is nearly homogeneous, given its `offset` p_a: (ψ − p_a(ρ))/ρ^M with
        ψ = ℓ⁻¹(𝓛) (Cai et al. 2025). For a homogeneous net: γ̂ of gradient descent, from the first
        record with 𝓛 ≤ e⁻² on (Lyu & Li 2020); NaN where 𝓛 ≥ 1 again.

        Raises
        ------
        ValueError
            If the net is only nearly homogeneous and the run had no `offset`, or it is homogeneous
            and the loss is not the exponential one.
        """
        if self.offset is not None:
            psi = inverse_loss(self.log_loss, self.loss)
            return (psi - np.asarray(self.offset.gap_bound(self.norm))) / self._norm() ** self.order
        if why := order_of(self.net).defect:
            raise ValueError(
                f"modified_margin of a net that is only nearly homogeneous ({why}) needs the bound "
                "p_a; give the trainer "
                "offset=ibtools.theory.homogeneity.near_homogeneity(net, radius=...)"
            )
        if self.loss != "exponential":
            raise ValueError(
                f"modified_margin of a homogeneous net is for loss='exponential', got "
                f"{self.loss!r}; use smoothed_margin"
            )
        margin = np.full(len(self.log_loss), np.nan)
        begun = np.flatnonzero(self.log_loss <= -2)
        if begun.size:
            on = np.flatnonzero(self.log_loss < 0)
            on = on[on >= begun[0]]
            margin[on] = modified_descent_margin(
                self.log_loss[on],
                self.norm[on],
                self.order,
                initial_log_loss=float(self.log_loss[begun[0]]),
            )
        return margin

    @property
    def kkt_residual(self) -> Column:
        """ε = √(2(1−β))·γ̄^(−1/L), (t,): how far θ/q_min^(1/L) is from stationary; NaN if q_min ≤ 0.

        With the multipliers λ ∝ e^(−q) this is exactly ‖θ̃ − Σλ∇q(θ̃)‖ (Lyu & Li 2020). From β in
        double precision it is known to 1e-16/ε: below 1e-8 it is rounding.
        """
        distance = np.sqrt(np.maximum(2 * (1 - self.gradient_alignment), 0.0))
        return distance * self._unit()

    @property
    def complementarity(self) -> Column:
        """δ = Σλₙ(qₙ(θ̃) − 1) at θ̃ = θ/q_min^(1/L), (t,); NaN where q_min ≤ 0."""
        unit = self._unit()
        return self.slack / self.gradient_norm / self._norm() * unit**2

    def _norm(self) -> Column:
        return np.where(self.norm > 0, self.norm, np.nan)

    def _unit(self) -> Column:
        """Return ‖θ̃‖ = ρ/q_min^(1/L)."""
        q = np.where(self.minimum_margin > 0, self.minimum_margin, np.nan)
        return np.asarray(self.norm / q ** (1 / self.order))

    @property
    def states(self) -> Float[np.ndarray, "t p"]:
        """The flat parameters at each record, (t, p).

        Raises
        ------
        ValueError
            If there were too many to keep.
        """
        if self._states is None:
            raise ValueError(
                f"the parameters of {len(self.steps)} records were too many to keep; "
                "run.net has the last ones: train in parts with resume= to see more"
            )
        return self._states

    def net_at(self, index: int) -> Net:
        """Return the whole net at record `index` (negative counts from the end).

        Raises
        ------
        IndexError
            If there is no such record.
        ValueError
            If the parameters were too many to keep.
        """
        assert self._restore is not None
        return self._restore(self.states[index])

    def save(self, path: str | Path) -> None:
        """Write the run to one file, from which `load_run` continues it, even on another machine.

        Of the parameters, the last ones are written, and not those of every record.

        Parameters
        ----------
        path
            The file, ``….npz``; it is replaced only when the new one is complete.
        """
        columns = {name: getattr(self, name) for name in _COLUMNS}
        last = torch.cat([p.detach().reshape(-1) for p in self.net.parameters()])
        progress = {k: v for k, v in self._progress.items() if not isinstance(v, np.ndarray)}
        arrays = {f"progress_{k}": v for k, v in self._progress.items() if k not in progress}
        facts = {
            "order": self.order,
            "exponents": self.exponents,
            "loss": self.loss,
            "converged": self.converged,
            "message": self.message,
            "has_offset": self.offset is not None,
            "progress": progress,
        }
        whole = Path(path)
        part = whole.with_name(whole.name + ".part")
        with part.open("wb") as file:
            np.savez(
                file, **columns, **arrays, parameters=last.cpu().numpy(), facts=json.dumps(facts)
            )
        part.replace(whole)

    def __repr__(self) -> str:
        """Say how far the run came and why it ended."""
        return (
            f"{type(self).__name__}({self.steps[-1]} steps, log10 loss "
            f"{self.log_loss[-1] / np.log(10):.6g}, normalized margin "
            f"{self.normalized_margin[-1]:.6g}, converged={self.converged}: {self.message})"
        )


_SCALARS = (
    "steps",
    "evaluations",
    "log_time",
    "effective_time",
    "log_loss",
    "norm",
    "minimum_margin",
    "gradient_alignment",
    "gradient_norm",
    "slack",
    "alignment",
    "step_size",
    "smoothed_margin_drops",
)
_COLUMNS = (*_SCALARS, "layer_norms")


def load_run(path: str | Path, net: Net, *, offset: Offset | None = None) -> MarginRun[Net]:
    """Read a run that `MarginRun.save` wrote; hand it to a trainer's ``resume=`` to go on.

    Parameters
    ----------
    path
        The file.
    net
        A net of the same architecture; it is copied, its parameters do not matter.
    offset
        That of the run, if it was made with one: it is not in the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not the file of a run, the net has another number of parameters, or `offset` is
        missing or should be.
    """
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            columns = {name: file[name] for name in _COLUMNS}
            last = file["parameters"]
            arrays = {
                k.removeprefix("progress_"): file[k] for k in file if k.startswith("progress_")
            }
    except (KeyError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"path must name a file that MarginRun.save wrote, got {str(path)!r} ({error}); "
            "train again, or find the right file"
        ) from error
    if facts["has_offset"] != (offset is not None):
        raise ValueError(
            "offset must be given for a run that was made with one, and only then; "
            f"this one was made {'with' if facts['has_offset'] else 'without'}"
        )
    restore = restorer(net)
    exponents = facts["exponents"]
    return MarginRun(
        **columns,
        order=facts["order"],
        exponents=None if exponents is None else tuple(exponents),
        loss=facts["loss"],
        net=restore(last),
        converged=facts["converged"],
        message=facts["message"],
        offset=offset,
        _restore=restore,
        _progress={**facts["progress"], **arrays},
    )


def exponents_of(order: Order, names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the power of each layer in `names`, or None where layers cannot be scaled alone."""
    if order.exponents is None or set(order.exponents) != set(names):
        return None
    return tuple(order.exponents[name] for name in names)


def restorer(net: Net) -> "Restorer[Net]":
    """Return the function from flat parameters to a net like `net`."""
    return Restorer(net)


class Restorer(Generic[Net]):
    """The function from flat parameters to a net like one that is copied."""

    def __init__(self, net: Net) -> None:
        self._pattern = copy.deepcopy(net)

    def __call__(self, flat: np.ndarray) -> Net:
        """Return a new net with these parameters, (p,)."""
        size = sum(p.numel() for p in self._pattern.parameters())
        if flat.shape != (size,):
            raise ValueError(
                f"net has {size} parameters, got {flat.size} of them; give the architecture that "
                "was trained"
            )
        fresh = copy.deepcopy(self._pattern)
        source = torch.tensor(flat)
        with torch.no_grad():
            for p in fresh.parameters():
                p.copy_(source[: p.numel()].view_as(p))
                source = source[p.numel() :]
        return fresh


def check_resumed(run: MarginRun, *, trainer: str, loss: str, order: int) -> None:
    """Refuse to continue a run of another trainer, with another loss, or of another order."""
    if run._progress.get("trainer") != trainer:
        raise ValueError(
            f"resume must be a run of {trainer}, got one of {run._progress.get('trainer')}; "
            f"hand its net to {trainer} instead"
        )
    if (run.loss, run.order) != (loss, order):
        raise ValueError(
            f"resume must be a run with the same loss and order, {loss!r} and {order}, got "
            f"{run.loss!r} and {run.order}; hand its net to {trainer} to go on otherwise"
        )


def check_same_point(run: MarginRun, log_loss: float) -> None:
    """Refuse to continue a run on other data: there its last point has another loss."""
    was = float(run.log_loss[-1])
    if not abs(log_loss - was) <= 1e-6 * max(1.0, abs(was)):
        raise ValueError(
            f"resume must be a run on the same data; its last log loss was {was:.9g}, here it is "
            f"{log_loss:.9g}; hand its net over instead, to go on with other data"
        )


class Recorder:
    """Collects the records of a run as it goes on."""

    def __init__(self, resume: MarginRun | None = None) -> None:
        # One list, so that no interruption leaves half a record.
        self._records: list[tuple[tuple[float, ...], np.ndarray, np.ndarray | None]] = []
        self._keeps_states = True
        if resume is None:
            return
        self._keeps_states = resume._states is not None
        last = len(resume.steps) - 1
        for i in range(len(resume.steps)):
            row = tuple(float(getattr(resume, name)[i]) for name in _SCALARS)
            flat = None if resume._states is None else resume._states[i]
            if i == last and flat is None:
                flat = _flat(resume.net)
            self._records.append((row, resume.layer_norms[i], flat))

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def add(self, flat: np.ndarray, layer_norms: np.ndarray, **values: float | int) -> None:
        """Add one record; the alignment with the last one is computed here."""
        alignment = np.nan
        before = self._records[-1][2] if self._records else None
        if before is not None:
            moved = flat - before
            size = np.linalg.norm(moved) * np.linalg.norm(flat)
            alignment = float(moved @ flat / size) if size > 0 else np.nan
        row = {**values, "alignment": alignment}
        self._records.append((tuple(float(row[name]) for name in _SCALARS), layer_norms, flat))
        if self._keeps_states and flat.size * len(self._records) > _KEPT:
            self._keeps_states = False
            self._records[:-1] = [(row, norms, None) for row, norms, _ in self._records[:-1]]
        elif not self._keeps_states and len(self._records) > 1:
            self._records[-2] = (*self._records[-2][:2], None)

    def cut(self, length: int) -> None:
        """Drop the records after the first `length`."""
        del self._records[length:]

    def last(self, name: str) -> float:
        """Return the last value of a column."""
        return self._records[-1][0][_SCALARS.index(name)]

    def columns(self) -> dict[str, Any]:
        """Return what was recorded as arrays by name."""
        table = np.array([row for row, _, _ in self._records])
        columns: dict[str, Any] = {name: table[:, i] for i, name in enumerate(_SCALARS)}
        for name in ("steps", "evaluations", "smoothed_margin_drops"):
            columns[name] = columns[name].astype(np.int64)
        columns["layer_norms"] = np.array([norms for _, norms, _ in self._records])
        states = [flat for _, _, flat in self._records if flat is not None]
        columns["_states"] = np.array(states) if self._keeps_states else None
        return columns


def _flat(net: nn.Module) -> np.ndarray:
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()]).cpu().numpy()
