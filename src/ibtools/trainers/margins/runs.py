"""What a run on a classification problem records: margins against time, in the log domain."""

import copy
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ibtools._files import whole_file
from ibtools._validation import file_path, place
from ibtools.metrics.margins import (
    inverse_loss,
    layer_product_margin,
    modified_descent_margin,
    normalized_margin,
    smoothed_margin,
)
from ibtools.models.homogeneity import Homogeneity, homogeneity_of
from ibtools.trainers.margins.growth import GapBound

Net = TypeVar("Net", bound=nn.Module)
Column = Float[np.ndarray, " t"]

SCALARS = (
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
COLUMNS = (*SCALARS, "layer_norms")


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
        q_min = min yⱼΦ(θ; xⱼ); with k classes the least Φ_y − Φ_l.
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
    near_homogeneity: GapBound | None = None
    _defect: str = field(default="", repr=False)
    _states: Float[np.ndarray, "t p"] | None = field(default=None, repr=False)
    _restore: "Restorer[Net] | None" = field(default=None, repr=False)
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
        powers = [float(k) for k in self.exponents]
        return layer_product_margin(self.minimum_margin, self.layer_norms, powers)

    @property
    def modified_margin(self) -> Column:
        """The margin that theory proves to grow for this run, (t,).

        For a net that is nearly homogeneous, given p_a (`near_homogeneity`): (ψ − p_a(ρ))/ρ^M with
        ψ = ℓ⁻¹(𝓛) (Cai et al. 2025), at all records; proven to grow once it is positive. For a
        homogeneous net: γ̂ of gradient descent, from the first record with 𝓛 ≤ e⁻² on (Lyu & Li
        2020); NaN before, and where 𝓛 ≥ 1 again.

        Raises
        ------
        ValueError
            If the net is only nearly homogeneous and the run had no `near_homogeneity`, or it is
            homogeneous and the loss is not the exponential one.
        """
        if self.near_homogeneity is not None:
            psi = inverse_loss(self.log_loss, self.loss)
            gap = np.asarray(self.near_homogeneity.gap_bound(self.norm))
            return (psi - gap) / self._norm() ** self.order
        if self._defect:
            raise ValueError(
                f"modified_margin of a net that is only nearly homogeneous ({self._defect}) needs "
                "the bound p_a; give the trainer "
                "near_homogeneity=ibtools.theory.near_homogeneity(net, radius=...)"
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
    def stationarity(self) -> Column:
        """ε = √(2(1−β))·γ̄^(−1/L), (t,): how far θ/q_min^(1/L) is from stationary; NaN if q_min ≤ 0.

        With the multipliers λ ∝ e^(−q) this is exactly ‖θ̃ − Σλ∇q(θ̃)‖ (Lyu & Li 2020). From β in
        double precision it is known to 1e-16/ε: below 1e-8 it is rounding.

        It may rise while the direction improves, since these multipliers are not the best ones:
        they change by e when a margin moves by 1. For ``MLP([64, 4, 1], seed=0)`` on ten digits it
        is 0.61 at 𝓛 = 7e-15, after 0.59 at 1e-13, where the best multipliers, those of
        `margin_kkt`, have 0.52 after 0.54.
        """
        distance = np.sqrt(np.maximum(2 * (1 - self.gradient_alignment), 0.0))
        return distance * self._unit()

    @property
    def complementarity(self) -> Column:
        """δ = Σλⱼ(qⱼ(θ̃) − 1) at θ̃ = θ/q_min^(1/L), (t,); NaN where q_min ≤ 0."""
        unit = self._unit()
        return self.slack / self.gradient_norm / self._norm() * unit**2

    @property
    def first_epochs(self) -> int:
        """How many steps at first were epochs of minibatches, and not yet steps of the flow."""
        return int(self._progress.get("first_epochs", 0))

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
        seen = self._states.view()
        seen.flags.writeable = False
        return seen

    def net_at(self, index: int) -> Net:
        """Return the whole net at record `index` (negative counts from the end).

        Parameters
        ----------
        index
            The place of the record, from 0; −1 is the last.

        Raises
        ------
        IndexError
            If there is no such record.
        ValueError
            If the parameters were too many to keep.
        """
        assert self._restore is not None
        return self._restore(self.states[place("index", index, len(self.steps))])

    def save(self, path: str | Path) -> None:
        """Write the run to one file, from which `load_run` continues it, even on another machine.

        Of the parameters, the last ones are written, and not those of every record.

        Parameters
        ----------
        path
            The file, ``….npz``; it is replaced only when the new one is complete.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from ibtools.models import DeepLinear
        >>> from ibtools.trainers import load_run, margin_flow
        >>> net = DeepLinear(2, 2, seed=0)
        >>> run = margin_flow(net, np.eye(2), [1.0, -1.0], until_log10_loss=-2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run.save(Path(folder) / "run.npz")
        ...     float(load_run(Path(folder) / "run.npz", run.net).log_loss[-1]) < -4
        True
        """
        columns = {name: getattr(self, name) for name in COLUMNS}
        last = flat_parameters(self.net)
        progress = {k: v for k, v in self._progress.items() if not isinstance(v, np.ndarray)}
        arrays = {f"progress_{k}": v for k, v in self._progress.items() if k not in progress}
        facts = {
            "order": self.order,
            "defect": self._defect,
            "exponents": self.exponents,
            "loss": self.loss,
            "converged": self.converged,
            "message": self.message,
            "has_near_homogeneity": self.near_homogeneity is not None,
            "progress": progress,
        }
        with whole_file(file_path("path", path)) as file:
            np.savez(
                file, **columns, **arrays, parameters=last.cpu().numpy(), facts=json.dumps(facts)
            )

    def __repr__(self) -> str:
        """Say how far the run came and why it ended."""
        first = f", {self.first_epochs} of them epochs of minibatches" if self.first_epochs else ""
        return (
            f"{type(self).__name__}({self.steps[-1]} steps{first}, log10 loss "
            f"{self.log_loss[-1] / np.log(10):.6g}, normalized margin "
            f"{self.normalized_margin[-1]:.6g}, converged={self.converged}: "
            f"{self.message.split('; ')[0]})"
        )


def load_run(
    path: str | Path, net: Net, *, near_homogeneity: GapBound | None = None
) -> MarginRun[Net]:
    """Read a run that `MarginRun.save` wrote; hand it to a trainer's ``resume=`` to go on.

    Parameters
    ----------
    path
        The file.
    net
        A net of the same architecture; it is copied, its parameters do not matter.
    near_homogeneity
        That of the run, if it was made with one: it is not in the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If it is not the file of a run, the net has another number of parameters, or
        `near_homogeneity` is missing or should be.

    See Also
    --------
    MarginRun.save : writes it; the example there reads it back.
    """
    try:
        with (
            file_path("path", path).open("rb") as opened,
            np.load(opened, allow_pickle=False) as file,
        ):
            facts = json.loads(str(file["facts"]))
            columns = {name: file[name] for name in COLUMNS}
            last = file["parameters"]
            arrays = {
                k.removeprefix("progress_"): file[k] for k in file if k.startswith("progress_")
            }
    except (
        KeyError, ValueError, EOFError, AttributeError, IsADirectoryError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ValueError(
            f"path must name a file that MarginRun.save wrote, got {str(path)!r} ({error}); "
            "train again, or find the right file"
        ) from error
    if facts["has_near_homogeneity"] != (near_homogeneity is not None):
        raise ValueError(
            "near_homogeneity must be given for a run that was made with one, and only then; "
            f"this one was made {'with' if facts['has_near_homogeneity'] else 'without'}"
        )
    progress = {**facts["progress"], **arrays}
    exponents = facts["exponents"]
    order = Homogeneity(
        facts["order"], facts["defect"] if "defect" in facts else homogeneity_of(net).defect
    )
    return made_run(
        net,
        last,
        columns,
        order,
        None if exponents is None else tuple(exponents),
        loss=facts["loss"],
        converged=facts["converged"],
        message=facts["message"],
        near_homogeneity=near_homogeneity,
        progress=progress,
    )


def made_run(
    net: Net,
    last: np.ndarray,
    columns: Mapping[str, Any],
    homogeneity: Homogeneity,
    exponents: tuple[int, ...] | None,
    *,
    loss: str,
    converged: bool,
    message: str,
    near_homogeneity: GapBound | None,
    progress: dict[str, Any],
) -> MarginRun[Net]:
    """Return a run of nets like `net`, at the end with the parameters `last`."""
    restore = Restorer(net)
    return MarginRun(
        **columns,
        order=homogeneity.order,
        exponents=exponents,
        loss=loss,
        net=restore(last),
        converged=converged,
        message=message,
        near_homogeneity=near_homogeneity,
        _defect=homogeneity.defect,
        _restore=restore,
        _progress=progress,
    )


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


def flat_parameters(net: nn.Module) -> Float[Tensor, " p"]:
    """Return a net's parameters as one vector, (p,)."""
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()])
