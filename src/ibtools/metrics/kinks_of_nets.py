"""The kinks of a net: what comes into its ReLUs, and the net with some of them on other branches.

Seen is each call, be it of a module or of a function in a ``forward``.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, resolve_name

from ibtools.models.layers import SquaredReLU

# What is linear on either side of 0: z above, and below 0 or a multiple of z.
_RELUS = {
    functional.relu,
    functional.relu_,
    torch.relu,
    torch.relu_,
    Tensor.relu,
    Tensor.relu_,
}
_LEAKY = {functional.leaky_relu, functional.leaky_relu_}
_CLAMPS = {torch.clamp, torch.clip, Tensor.clamp, Tensor.clip, Tensor.clamp_, Tensor.clip_}
_CLAMPS_BELOW = {torch.clamp_min, Tensor.clamp_min, Tensor.clamp_min_}
_ABSOLUTE = {torch.abs, Tensor.abs, Tensor.abs_, torch.absolute, Tensor.absolute, Tensor.__abs__}
# Kinks elsewhere than at 0, or between two tensors.
_OTHERS = {
    torch.maximum,
    torch.minimum,
    torch.fmax,
    torch.fmin,
    Tensor.maximum,
    Tensor.minimum,
    torch.clamp_max,
    Tensor.clamp_max,
    functional.relu6,
    functional.hardtanh,
    functional.prelu,
    torch.prelu,
    Tensor.prelu,
    functional.rrelu,
    functional.threshold,
    functional.hardshrink,
    functional.softshrink,
}
# A ReLU in these is squared: no kink.
_SMOOTH = (SquaredReLU,)

Action = Callable[[Tensor, float], Tensor | None]


class _AtReLUs(TorchFunctionMode):
    """Does something at each ReLU: with its input and its slope below 0."""

    def __init__(self, action: Action) -> None:
        super().__init__()
        self.action = action
        self.smooth = 0

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        named = named or {}
        slope = None if self.smooth else _slope_below(function, given, named)
        if slope is None:
            return function(*given, **named)
        z = given[0] if given else named["input"]
        found = self.action(z, slope)
        if found is None:
            return function(*given, **named)
        in_place = named.get("inplace", False) or getattr(function, "__name__", "").endswith("_")
        in_place = in_place and not getattr(function, "__name__", "").endswith("__")
        return z.copy_(found) if in_place else found


def _slope_below(function: Any, given: Any, named: Any) -> float | None:
    """Return the slope below 0 of a call that is a ReLU, or None; refuse other kinks."""
    if function in _RELUS:
        return 0.0
    if function in _LEAKY:
        return float(named.get("negative_slope", given[1] if len(given) > 1 else 0.01))
    if function in _ABSOLUTE:
        return -1.0
    kinked = function in _OTHERS
    if function in _CLAMPS_BELOW or function in _CLAMPS:
        ends = [named.get(end) for end in ("min", "max")]
        ends = [given[i] if len(given) > i else ends[i - 1] for i in (1, 2)]
        if isinstance(ends[0], int | float) and ends[0] == 0 and ends[1] is None:
            return 0.0
        kinked = True
    if kinked:
        name = resolve_name(function) or getattr(function, "__name__", str(function))
        raise ValueError(
            "kink_tolerance must be 0 for a net with kinks other than those of relu, leaky_relu, "
            f"abs and clamp(min=0), got one that calls {name}; write it by torch.relu, "
            "max(a, b) = b + relu(a − b), say, or leave kink_tolerance out"
        )
    return None


@contextmanager
def _at_relus(net: nn.Module, action: Action) -> Iterator[None]:
    mode = _AtReLUs(action)

    def enter(*_: object) -> None:
        mode.smooth += 1

    def leave(*_: object) -> None:
        mode.smooth -= 1

    handles = []
    for module in net.modules():
        if isinstance(module, _SMOOTH):
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def forced_branches(net: nn.Module, upper: Sequence[Tensor]) -> Iterator[None]:
    """Let each ReLU, in the order of calls, be linear with the slopes of the branches `upper`.

    Nothing is forced where `upper` is empty.
    """
    if not upper:
        yield
        return
    left = iter(upper)

    def force(z: Tensor, below: float) -> Tensor:
        return z * torch.where(next(left), 1.0, below).to(z.dtype)

    with _at_relus(net, force):
        yield


def inputs_of_kinks(net: nn.Module, x: Float[Tensor, "m ..."]) -> list[Float[Tensor, "m ..."]]:
    """Return what comes into each ReLU, in the order of calls.

    Raises
    ------
    ValueError
        If the net has kinks other than at 0, or a ReLU acts on something else than one row for
        each sample.
    """
    all_at_once, alone = _seen(net, x), _seen(net, x[:1])
    shapes = [(len(x), *z.shape[1:]) for z in alone]
    if any(z.shape[:1] != (1,) for z in alone) or shapes != [tuple(z.shape) for z in all_at_once]:
        raise ValueError(
            "kink_tolerance must be 0 for a net whose relus act on tensors without an axis of "
            f"samples in front, got shapes {[tuple(z.shape) for z in all_at_once]} for {len(x)} "
            "samples; keep the samples along the first axis in the net's forward, or leave "
            "kink_tolerance out"
        )
    return all_at_once


def _seen(net: nn.Module, x: Float[Tensor, "m ..."]) -> list[Tensor]:
    seen: list[Tensor] = []

    def keep(z: Tensor, _: float) -> None:
        seen.append(z.detach().clone())

    with _at_relus(net, keep), torch.no_grad():
        net(x)
    return seen
