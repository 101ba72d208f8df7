"""A net, a data set and a loss, in the log domain: what a trainer asks of them.

Only log 𝓛 and the gradient of log 𝓛 are formed, ∇log 𝓛 = −Σ v∇s with weights v ≥ 0 of sum ≤ 1 on
the margins s. Neither underflows, however small the loss.
"""

import numbers
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._autograd import pulled_back
from ibtools._threads import one_thread
from ibtools._validation import one_of, real
from ibtools.metrics.margins import LOSSES
from ibtools.models.homogeneity import NotHomogeneousError, homogeneity_of
from ibtools.models.layers import parameter_layers
from ibtools.models.margins import Margins
from ibtools.models.reading import (
    as_outputs,
    gradients_of_each,
    number_of_outputs,
    private_copy,
    refuse_frozen,
    refuse_parameters,
    with_parameters,
)
from ibtools.models.samples import finite_inputs, fitting_labels
from ibtools.trainers.kinds import wrong_kind_for_nets

# Below this z, log log(1 + e^z) = z − e^z/2 to the last digit.
_TAIL = -18.0
_CHUNK = 2048
# Graphs of all samples are kept if they hold no more than so many bytes.
_GRAPHS = 2**30


def log_losses(
    margins: Float[Tensor, "n c"], loss: str
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c"]]:
    """Return log ℓ of each sample, and −∂ log ℓ/∂s of each of its margins, in [0, 1]."""
    if margins.shape[1] == 1:
        q = margins[:, 0]
        shares = torch.ones_like(margins)
    else:
        q = -torch.logsumexp(-margins, dim=1)
        shares = torch.exp(q[:, None] - margins)
    if loss == "exponential":
        return -q, shares
    z = -q
    log_loss, slope = log_logistic(z)
    return log_loss, slope[:, None] * shares


def log_logistic(z: Float[Tensor, " n"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Return log log(1 + e^z) and its derivative in z, to the last digit for every z."""
    tail = z < _TAIL
    # PyTorch's softplus drops log(1 + e^-z) beyond z = 20; it counts up to 37.
    near = torch.logaddexp(z.clamp(min=_TAIL), z.new_zeros(()))
    small = z.clamp(max=0.0).exp()
    log_loss = torch.where(tail, z - small / 2, near.log())
    return log_loss, torch.where(tail, 1 - small / 2, torch.sigmoid(z) / near)


@dataclass(frozen=True, eq=False)
class State:
    """Margins and log loss at one point, without gradients."""

    margins: Float[Tensor, "n c"]
    log_loss: float
    weights: Float[Tensor, "n c"]

    @property
    def minimum_margin(self) -> float:
        """The least of all margins."""
        return float(self.margins.min())

    @property
    def slack(self) -> float:
        """Return Σ v (s − s_min), what complementarity is made of."""
        return float((self.weights * (self.margins - self.margins.min())).sum())


class Problem:
    """A private copy of a net, whose parameters are views into one flat vector, on its data."""

    def __init__(self, net: nn.Module, X: ArrayLike | Tensor, y: ArrayLike, loss: str) -> None:
        if not isinstance(net, nn.Module):
            raise wrong_kind_for_nets(net)
        # In evaluation mode: dropout would make the loss a random number.
        self.net = private_copy(net)
        self.loss = one_of("loss", loss, LOSSES)
        self.weights = list(self.net.parameters())
        refuse_parameters(self.weights)
        refuse_frozen(self.net)
        first = self.weights[0]
        if any(p.dtype != first.dtype or p.device != first.device for p in self.weights):
            raise ValueError(
                "net has parameters of several types or devices; move it to one with net.to(...)"
            )
        self.flat = torch.cat([p.detach().reshape(-1) for p in self.weights])
        self.sizes = [p.numel() for p in self.weights]
        for p, piece in zip(self.weights, self.flat.split(self.sizes), strict=True):
            p.data = piece.view_as(p)
        if not bool(torch.isfinite(self.flat).all()):
            raise ValueError("net has parameters that are not finite; start it anew")
        self.X = finite_inputs(X, dtype=first.dtype, device=first.device)
        self.outputs = number_of_outputs(self.net, self.X)
        labels = labels_for_loss(y, n=len(self.X), outputs=self.outputs, loss=loss)
        self.margins = Margins(labels.to(first.device), self.outputs)
        layers = parameter_layers(self.net)
        self.layer_names = [name for name, _ in layers]
        self._layers = [module for _, module in layers]
        self._structured = self._is_structured()
        self.evaluations = 0

    def _is_structured(self) -> bool:
        """Return whether each parameter belongs to one layer, whose gradient is known by rule."""
        owned = [id(p) for m in self._layers for p in m.parameters(recurse=False)]
        try:
            homogeneity_of(self.net)
        except NotHomogeneousError:
            return False  # who knows what it does with its weights
        return (
            len(set(owned)) == len(owned)
            and all(type(m) in (nn.Linear, nn.Conv2d) for m in self._layers)
            and all(
                m.groups == 1 and m.padding_mode == "zeros" and isinstance(m.padding, tuple)
                for m in self._layers
                if isinstance(m, nn.Conv2d)
            )
        )

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.X)

    def outputs_at(self, inputs: Float[Tensor, "m ..."]) -> Float[Tensor, "m *k"]:
        """Return the outputs at inputs: (m,) for one output, (m, k) for k classes."""
        return as_outputs(self.net(inputs), len(inputs))

    def margins_of(
        self, outputs: Tensor, samples: Tensor | slice = slice(None)
    ) -> Float[Tensor, "m c"]:
        """Return the margins of the outputs of some samples."""
        # Losses far below the smallest float32 are differences of margins: keep these in double.
        return self.margins.of(outputs.double(), samples)

    def _state(self, margins: Float[Tensor, "n c"]) -> State:
        each, slopes = log_losses(margins, self.loss)
        total = torch.logsumexp(each, 0)
        weights = torch.exp(each - total)[:, None] * slopes
        return State(margins, float(total), weights)

    def evaluate(self, flat: Float[Tensor, " p"] | None = None) -> State:
        """Return margins and log loss, at `flat` if given; the parameters move there."""
        if flat is not None:
            self.flat.copy_(flat)
        self.evaluations += 1
        with torch.no_grad():
            margins = torch.cat(
                [
                    self.margins_of(self.outputs_at(self.X[i : i + _CHUNK]), slice(i, i + _CHUNK))
                    for i in range(0, self.n, _CHUNK)
                ]
            )
            return self._state(margins)

    def descend_from(self) -> tuple[State, Float[Tensor, " p"]]:
        """Return the state and the gradient of log 𝓛 at the present parameters."""
        if self.n > _CHUNK:
            state = self.evaluate()
            return state, -self.pulled(state.weights)
        self.evaluations += 1
        outputs = self.outputs_at(self.X)
        state = self._state(self.margins_of(outputs.detach()))
        return state, -self._backward(outputs, self.margins.pulled(state.weights))

    def pulled(self, weights: Float[Tensor, "n c"]) -> Float[Tensor, " p"]:
        """Return Σ v ∇s over all samples."""
        total = torch.zeros_like(self.flat)
        for i in range(0, self.n, _CHUNK):
            part = slice(i, i + _CHUNK)
            total += self._backward(
                self.outputs_at(self.X[part]), self.margins.pulled(weights[part], part)
            )
        return total

    def batch_gradient(self, samples: Tensor, log_frame: float | Tensor) -> Float[Tensor, " p"]:
        """Return the gradient of a batch's loss, a sum, over e^log_frame."""
        outputs = self.outputs_at(self.X[samples])
        margins = self.margins_of(outputs.detach(), samples)
        each, slopes = log_losses(margins, self.loss)
        weights = torch.exp(each - log_frame)[:, None] * slopes
        return -self._backward(outputs, self.margins.pulled(weights, samples))

    def _backward(
        self, outputs: Tensor, seed: Tensor, *, keep: bool = False
    ) -> Float[Tensor, " p"]:
        pieces = pulled_back(
            [outputs], [seed.to(outputs.dtype)], self.weights, allow_unused=True, retain_graph=keep
        )
        return torch.cat(
            [
                (torch.zeros_like(p) if g is None else g).reshape(-1)
                for g, p in zip(pieces, self.weights, strict=True)
            ]
        )

    def layer_norms(self) -> Float[np.ndarray, " k"]:
        """Return the norm of each layer's own parameters."""
        own = [[p.detach().reshape(-1) for p in m.parameters(recurse=False)] for m in self._layers]
        return np.array([float(torch.cat(pieces).norm()) for pieces in own])

    def tangents(self, samples: Int[Tensor, " m"], columns: Int[Tensor, " m"]) -> "Tangents":
        """Return the gradients of chosen margins, of which only products are formed."""
        inputs = self.X[samples]
        seed = self.margins.directions(samples, columns).to(self.flat.dtype)
        if not self._structured:
            return Tangents([("full", self._jacobian(inputs, seed), None)])
        seen: list[tuple[nn.Module, Tensor, Tensor]] = []
        hooks = [
            m.register_forward_hook(lambda m, i, o: seen.append((m, i[0].detach(), o)))
            for m in self._layers
        ]
        try:
            outputs = self.outputs_at(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        once = len(seen) == len(self._layers)
        if not once or any(type(m) is nn.Linear and i.ndim != 2 for m, i, _ in seen):
            return Tangents([("full", self._jacobian(inputs, seed), None)])
        backs = pulled_back([outputs], [seed], [o for _, _, o in seen])
        order = {id(m): i for i, m in enumerate(self._layers)}
        pairs: list[tuple[str, Tensor, Tensor | None]] = []
        for (module, came, _), back in sorted(
            zip(seen, backs, strict=True), key=lambda pair: order[id(pair[0][0])]
        ):
            if isinstance(module, nn.Conv2d):
                pairs.append(("full", _convolution_rows(module, came, back), None))
                continue
            if module.bias is not None:
                came = torch.cat([came, came.new_ones(len(came), 1)], dim=1)
            pairs.append(("bias" if module.bias is not None else "outer", back, came))
        return Tangents(pairs)

    def _jacobian(self, inputs: Tensor, seed: Tensor) -> Float[Tensor, "m p"]:
        outputs_at = with_parameters(self.net)

        def product(parameters: list[Tensor], x: Tensor, s: Tensor) -> Tensor:
            return (as_outputs(outputs_at(parameters, x[None]), 1)[0] * s).sum()

        values = [p.detach() for p in self.weights]
        rows = gradients_of_each(product, values, inputs, seed)
        return torch.cat([row.reshape(len(inputs), -1) for row in rows], dim=1)


class _Graph(NamedTuple):
    """Outputs of some samples, and their Jᵀu as a function of u."""

    part: slice
    outputs: Tensor
    u: Tensor
    pulled: tuple[Tensor | None, ...]


class Linearization:
    """The margins' change Jd with a displacement d from the present parameters, and Jᵀv.

    Valid while the parameters are where they were: the graph that is kept holds views of them.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._kept = self._graphs()

    @property
    def shape(self) -> tuple[int, int]:
        """Of the margins, (n, c)."""
        return self._problem.n, self._problem.margins.each

    def _graphs(self) -> list[_Graph] | None:
        """Return the graphs of all samples, or None if they would hold too much."""
        problem = self._problem
        parts = [slice(i, i + _CHUNK) for i in range(0, problem.n, _CHUNK)]
        held: dict[int, int] = {}

        def counted(saved: Tensor) -> Tensor:
            storage = saved.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
            return saved

        with torch.autograd.graph.saved_tensors_hooks(counted, lambda saved: saved):
            first = self._graph(parts[0])
        for known in (problem.X, problem.flat):
            held.pop(known.untyped_storage().data_ptr(), None)
        if len(parts) > 1 and len(parts) * sum(held.values()) > _GRAPHS:
            return None
        return [first, *map(self._graph, parts[1:])]

    def _graph(self, part: slice) -> _Graph:
        problem = self._problem
        outputs = problem.outputs_at(problem.X[part])
        # Jᵀu is linear in u: its derivative in u, along d, is Jd.
        u = torch.zeros_like(outputs, requires_grad=True)
        pulled = pulled_back([outputs], [u], problem.weights, create_graph=True, allow_unused=True)
        return _Graph(part, outputs, u, pulled)

    def _each(self) -> Iterator[_Graph]:
        if self._kept is not None:
            yield from self._kept
            return
        for i in range(0, self._problem.n, _CHUNK):
            yield self._graph(slice(i, i + _CHUNK))

    def along(self, d: Float[Tensor, " p"]) -> Float[Tensor, "n c"]:
        """Return Jd, for all margins."""
        problem = self._problem
        if self._kept is None and (moved := self._forward(d)) is not None:
            return moved
        pieces = []
        for graph in self._each():
            pairs = [
                (g, piece.view_as(g))
                for g, piece in zip(graph.pulled, d.split(problem.sizes), strict=True)
                if g is not None
            ]
            gradients, pieces_of_d = zip(*pairs, strict=True)
            (moved,) = pulled_back(gradients, pieces_of_d, [graph.u], retain_graph=True)
            pieces.append(problem.margins_of(moved, graph.part))
        return torch.cat(pieces)

    def _forward(self, d: Float[Tensor, " p"]) -> Float[Tensor, "n c"] | None:
        """Return Jd by forward differentiation, or None where the net has an operation without it.

        Where no graph is kept that takes half the time of two backward passes.
        """
        problem = self._problem
        at = with_parameters(problem.net)
        values = [p.detach() for p in problem.weights]
        along = [g.view_as(p) for g, p in zip(d.split(problem.sizes), values, strict=True)]
        pieces = []
        for i in range(0, problem.n, _CHUNK):
            part = slice(i, i + _CHUNK)
            inputs = problem.X[part]

            def outputs(*weights: Tensor, inputs: Tensor = inputs) -> Tensor:
                return as_outputs(at(list(weights), inputs), len(inputs))

            try:
                with warnings.catch_warnings():
                    # Loading it PyTorch makes use of what it warns of.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    moved = torch.func.jvp(outputs, tuple(values), tuple(along))[1]
            except (NotImplementedError, RuntimeError):
                return None
            pieces.append(problem.margins_of(moved, part))
        return torch.cat(pieces)

    def pulled(self, weights: Float[Tensor, "n c"]) -> Float[Tensor, " p"]:
        """Return Jᵀv for weights v of all margins; samples without weight cost nothing."""
        problem = self._problem
        total = torch.zeros_like(problem.flat)
        if self._kept is not None:
            for part, outputs, *_ in self._kept:
                if bool(weights[part].any()):
                    seed = problem.margins.pulled(weights[part], part)
                    total += problem._backward(outputs, seed, keep=True)
            return total
        for samples in torch.nonzero(weights.any(dim=1))[:, 0].split(_CHUNK):
            seed = problem.margins.pulled(weights[samples], samples)
            total += problem._backward(problem.outputs_at(problem.X[samples]), seed)
        return total


class Tangents:
    """Rows of a Jacobian J that is not formed: for a linear layer each row is an outer product."""

    def __init__(self, blocks: Sequence[tuple[str, Tensor, Tensor | None]]) -> None:
        self._blocks = blocks

    @property
    def held(self) -> int:
        """Of each row so many numbers are held."""
        parts = [part for _, *parts in self._blocks for part in parts if part is not None]
        return sum(part.shape[1] for part in parts)

    def joined(self, others: "Tangents") -> "Tangents":
        """Return these rows and the others, of the same net."""
        return Tangents([
            (kind, torch.cat([back, other_back]), _joined(came, other_came))
            for (kind, back, came), (_, other_back, other_came) in zip(
                self._blocks, others._blocks, strict=True
            )
        ])  # fmt: skip

    def gram(self) -> Float[Tensor, "m m"]:
        """Return JJᵀ, in double precision."""
        return self.products(self)

    def products(self, others: "Tangents") -> Float[Tensor, "m k"]:
        """Return J times the transpose of the others' J, in double precision."""
        total = None
        for (_, back, came), (_, other_back, other_came) in zip(
            self._blocks, others._blocks, strict=True
        ):
            part = back @ other_back.T
            if came is not None and other_came is not None:
                part = part * (came @ other_came.T)
            total = part if total is None else total + part
        assert total is not None
        return total.detach().double()

    def along(self, direction: Float[Tensor, " p"]) -> Float[Tensor, " m"]:
        """Return J times a flat vector, in double precision."""
        total = None
        at = 0
        for kind, back, came in self._blocks:
            if came is None:
                size = back.shape[1]
                part = back @ direction[at : at + size]
            else:
                inputs = came.shape[1] - (kind == "bias")
                size = back.shape[1] * inputs
                weight = direction[at : at + size].view(back.shape[1], inputs)
                part = ((back @ weight) * came[:, :inputs]).sum(1)
                if kind == "bias":
                    part = part + back @ direction[at + size : at + size + back.shape[1]]
                    size += back.shape[1]
            at += size
            total = part if total is None else total + part
        assert total is not None
        return total.detach().double()

    def combination(self, c: Float[Tensor, " m"]) -> Float[Tensor, " p"]:
        """Return Jᵀc as a flat vector."""
        pieces = []
        for kind, back, came in self._blocks:
            factor = c.to(dtype=back.dtype, device=back.device)
            if came is None:
                pieces.append(factor @ back)
                continue
            weight = (back * factor[:, None]).T @ came
            if kind == "bias":
                pieces += [weight[:, :-1].reshape(-1), weight[:, -1]]
            else:
                pieces.append(weight.reshape(-1))
        return torch.cat(pieces)


def _joined(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])


def _convolution_rows(module: nn.Conv2d, came: Tensor, back: Tensor) -> Float[Tensor, "m p"]:
    padding = module.padding
    assert isinstance(padding, tuple)
    patches = torch.nn.functional.unfold(
        came,
        kernel_size=_pair(module.kernel_size),
        dilation=_pair(module.dilation),
        padding=_pair(padding),
        stride=_pair(module.stride),
    )
    flat = back.flatten(2)
    rows = [torch.einsum("mol,mil->moi", flat, patches).flatten(1)]
    if module.bias is not None:
        rows.append(flat.sum(2))
    return torch.cat(rows, dim=1)


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    return value[0], value[1]


def number(name: str, value: float) -> float:
    """Return `value`, an int or a float, as a finite float."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return real(name, float(value) if whole else value)


def labels_for_loss(y: ArrayLike, *, n: int, outputs: int, loss: str) -> Tensor:
    """Return labels that fit the net, once the loss does."""
    if outputs == 1 and loss == "cross_entropy":
        raise ValueError(
            "loss 'cross_entropy' needs a net with one output for each class, got one output; "
            "use loss='logistic'"
        )
    if outputs > 1 and loss != "cross_entropy":
        raise ValueError(
            f"loss {loss!r} is for a net with one output, got {outputs}; use loss='cross_entropy'"
        )
    return torch.tensor(fitting_labels(y, n=n, outputs=outputs))


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Let a GPU convolve in the type asked for: its default has ten bits for float32."""
    if device.type != "cuda":
        yield
        return
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    ):
        yield


@contextmanager
def few_threads(work: int) -> Iterator[None]:
    """Use one thread while a step is small; threads cost more there than they save."""
    before = torch.get_num_threads()
    if work < 10**8:
        torch.set_num_threads(1)
    try:
        with one_thread(work):
            yield
    finally:
        torch.set_num_threads(before)
