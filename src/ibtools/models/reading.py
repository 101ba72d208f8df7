"""Reading a net: what its modules do, and not what classes they descend from.

A rule for a kind of module says what that kind's ``forward`` does. It holds for a module if nothing
stands between the two: no ``forward`` of its own, no hook, no parametrization. Whatever walks a net
has its rules in a `Rules`, which looks before it leaps; what takes derivatives asks
`refuse_gradient_hooks`; outputs come through `as_outputs`.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, singledispatch, update_wrapper
from types import CodeType
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

Read = TypeVar("Read")
Net = TypeVar("Net", bound=nn.Module)

# PyTorch's own for softplus; there the jump is 2e-9.
_THRESHOLD = 20
# What PyTorch itself goes through from a call of a module to its forward.
_CALLS = ("__call__", "_call_impl", "_wrapped_call_impl", "_slow_forward")
_LOOK_UPS = ("__getattr__", "__getattribute__")
_HOOKS = {
    "_forward_pre_hooks": "forward pre-hook",
    "_forward_hooks": "forward hook",
}
_GRADIENT_HOOKS = {
    "_backward_pre_hooks": "backward pre-hook",
    "_backward_hooks": "backward hook",
}
# What undoes the hooks that PyTorch's own functions leave.
_UNDONE = {
    "WeightNorm": "torch.nn.utils.remove_weight_norm(module, {name!r})",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm(module, {name!r})",
}


class Rules(Generic[Read]):
    """A function of a module that has a rule for each kind of module it knows.

    Rules are registered like those of `functools.singledispatch`, by annotation or by class. A
    module takes the rule of the nearest class it descends from, if it does what that class does;
    else, and where there is no such class, it takes the function's own body, which says why not.

    Parameters
    ----------
    unknown
        What is done with a module that has no rule. Its first argument is the module.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import Rules
    >>> @Rules
    ... def inputs(module):
    ...     return inputs.why_not(module) or f"{type(module).__name__} has no rule"
    >>> @inputs.register
    ... def _(module: nn.Linear):
    ...     return module.in_features
    >>> class Half(nn.Linear):
    ...     def forward(self, x):
    ...         return super().forward(x) / 2
    >>> inputs(nn.Linear(3, 1)), inputs(nn.ReLU())
    (3, 'ReLU has no rule')
    >>> inputs(Half(3, 1))
    'is a Linear with its own forward; register a rule for Half, or build the net of plain layers'
    """

    def __init__(self, unknown: Callable[..., Read]) -> None:
        update_wrapper(self, unknown)
        self._unknown = unknown
        self._rules = singledispatch(unknown)

    def __call__(self, module: nn.Module, *arguments: Any) -> Read:
        """Return what the rule for `module` returns."""
        plain = self.kind(module) is not None and not self.why_not(module)
        rule = self._rules.dispatch(type(module)) if plain else self._unknown
        return rule(module, *arguments)

    def register(self, kind: Any, rule: Any = None) -> Any:
        """Register a rule, as `functools.singledispatch` does."""
        return self._rules.register(kind) if rule is None else self._rules.register(kind, rule)

    def kind(self, module: nn.Module) -> type | None:
        """Return the nearest class of a module that has a rule, or None."""
        known = self._rules.registry
        return next((c for c in type(module).__mro__ if c in known and c is not object), None)

    def why_not(self, module: nn.Module) -> str:
        """Return why a module may do something else than its kind and the mend, or ""."""
        return tampering(module) or _departure(module, self.kind(module))


def wrapping(module: nn.Module) -> str:
    """Return what a module was wrapped in to be faster, and where the module is; "" if nothing.

    Such a module computes the same, but can be neither copied with other parameters nor
    differentiated as often as a trainer does.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import wrapping
    >>> wrapping(nn.Linear(2, 1))
    ''
    >>> wrapping(nn.DataParallel(nn.Linear(2, 1)))
    'is a net in a wrapper; give the net itself, which is its .module'
    """
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "is a net in a wrapper; give the net itself, which is its .module"
    if isinstance(module, torch.jit.ScriptModule):
        return "is TorchScript; give the module that it was made from"
    # PyTorch's class of these takes a second to import.
    if type(module).__name__ == "OptimizedModule" and hasattr(module, "_orig_mod"):
        return "is compiled; give the module that was given to torch.compile, its ._orig_mod"
    return ""


def tampering(module: nn.Module) -> str:
    """Return what stands between a call of a module and its forward, and the mend; "" if nothing.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import tampering
    >>> layer = nn.Linear(2, 1)
    >>> tampering(layer)
    ''
    >>> handle = layer.register_forward_hook(lambda module, inputs, outputs: 2 * outputs)
    >>> tampering(layer)
    'has a forward hook, which may change what it returns; call remove() on the handle that registering it returned, or write what it does as a layer'
    """  # noqa: E501
    if wrapped := wrapping(module):
        return wrapped
    if parametrize.is_parametrized(module):
        names = list(getattr(module, "parametrizations", {}))
        calls = " and ".join(
            f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
            for name in names
        )
        return (
            f"has a parametrization of {', '.join(names)}, so what it multiplies with is a "
            f"function of the parameters that are trained; call {calls}"
        )
    for attribute, what in _HOOKS.items():
        for hook in getattr(module, attribute, {}).values():
            return f"has a {what}, which may change what it returns; {_undoing(hook)}"
    # PyTorch knows these under private names only.
    for attribute, what in _HOOKS.items():
        if getattr(nn.modules.module, f"_global{attribute}", None):
            return (
                f"is under a {what} of all modules, which may change what it returns; call "
                "remove() on the handle that registering it returned"
            )
    if "forward" in vars(module):
        return (
            "has a forward of its own, set on the object; delete it (del module.forward), or write "
            "it as a class of its own and register a rule"
        )
    own = [n for n in _CALLS if getattr(type(module), n) is not getattr(nn.Module, n)]
    if own:
        return f"has its own {own[0]}; write what it does as a forward and register a rule"
    return ""


def _undoing(hook: object) -> str:
    name = getattr(hook, "name", getattr(hook, "_tensor_name", None))
    undo = _UNDONE.get(type(hook).__name__)
    if undo is None and hasattr(hook, "apply_mask"):
        undo = "torch.nn.utils.prune.remove(module, {name!r})"
    if undo is not None and name is not None:
        return f"call {undo.format(name=name)}"
    return (
        "call remove() on the handle that registering it returned, or write what it does as a layer"
    )


def _departure(module: nn.Module, kind: type | None) -> str:
    """Return in what a module departs from what its kind does, and the mend; "" if in nothing."""
    if kind is None:
        return ""
    here, there = inspect.getattr_static, type(module)
    names = _read_in_forward(kind)
    own = [n for n in sorted(names) if here(there, n, None) is not here(kind, n, None)]
    own += [n for n in _LOOK_UPS if here(there, n, None) is not here(kind, n, None)]
    own.sort(key="forward".__ne__)
    if own:
        return (
            f"is a {kind.__name__} with its own {own[0]}; register a rule for {there.__name__}, or "
            "build the net of plain layers"
        )
    patched = [n for n in sorted(names & vars(module).keys()) if callable(here(kind, n, None))]
    if patched:
        return (
            f"has its own {patched[0]}, set on the object; delete it (del module.{patched[0]}), or "
            "write it as a class of its own and register a rule"
        )
    if kind.__module__.startswith(("torch.", "ibtools.")):
        for n in sorted(names):
            value = getattr(module, n, None)
            if isinstance(value, Tensor) and n not in module._parameters:
                return (
                    f"has a {n} that is no parameter; make it one "
                    f"(module.{n} = torch.nn.Parameter(...)), or register a rule for a layer of "
                    "your own"
                )
    if getattr(module, "return_indices", False):
        return "returns indices beside its values; set module.return_indices = False"
    if kind is nn.Softplus:
        return _odd_softplus(module)
    return ""


def _odd_softplus(module: Any) -> str:
    if not module.beta > 0:
        return (
            f"has beta={module.beta:g}, and beyond 0 it is −softplus(−z); take "
            f"nn.Softplus(beta={abs(module.beta) or 1:g}) and change the signs of the weights and "
            "the bias before it and of the weights after it"
        )
    if module.threshold < _THRESHOLD:
        jump = math.log1p(math.exp(-module.threshold)) / module.beta
        return (
            f"has threshold={module.threshold:g}, where it jumps by {jump:.2g}; set "
            "module.threshold = 40"
        )
    return ""


@cache
def _read_in_forward(kind: type) -> frozenset[str]:
    """Return the names that a kind's forward reads, itself and through the methods it calls."""
    names, ahead = set[str](), ["forward"]
    while ahead:
        name = ahead.pop()
        if name in names:
            continue
        names.add(name)
        found = inspect.getattr_static(kind, name, None)
        function = found.fget if isinstance(found, property) else found
        if inspect.isfunction(function):
            ahead += _names_in(inspect.unwrap(function).__code__)
    return frozenset(names)


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def refuse_no_net(net: object, name: str = "net") -> None:
    """Raise if something is no PyTorch module.

    Raises
    ------
    TypeError
        If it is not.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import refuse_no_net
    >>> refuse_no_net(nn.Linear(2, 1))
    >>> refuse_no_net("a net")
    Traceback (most recent call last):
        ...
    TypeError: net must be a torch.nn.Module, got str; build one from ibtools.models or torch.nn
    """
    if not isinstance(net, nn.Module):
        raise TypeError(
            f"{name} must be a torch.nn.Module, got {type(net).__name__}; build one from "
            "ibtools.models or torch.nn"
        )


def refuse_meta(net: nn.Module) -> None:
    """Raise if a net has a shape only, and no numbers.

    Raises
    ------
    ValueError
        If a parameter or a buffer is on PyTorch's device "meta", or has not been made yet.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import refuse_meta
    >>> refuse_meta(nn.Linear(2, 1))
    >>> refuse_meta(nn.Linear(2, 1, device="meta"))
    Traceback (most recent call last):
        ...
    ValueError: net must have parameters with values, got some on the device 'meta'; make it on ...
    """
    lazy = [name for name, p in net.named_parameters() if nn.parameter.is_lazy(p)]
    if lazy:
        raise ValueError(
            f"net must have parameters with values, got {lazy[0]} of a lazy module, which is made "
            "at the first call; call net(torch.as_tensor(X)) once"
        )
    if any(tensor.is_meta for tensor in [*net.parameters(), *net.buffers()]):
        raise ValueError(
            "net must have parameters with values, got some on the device 'meta'; make it on a "
            "device that holds values, or call net.to_empty(device='cpu') and load its state"
        )


def refuse_wrapped(net: nn.Module) -> None:
    """Raise if a net, or a part of it, stands in a wrapper.

    Raises
    ------
    TypeError
        If one is compiled, TorchScript, or distributed over devices.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import refuse_wrapped
    >>> refuse_wrapped(nn.Sequential(nn.DataParallel(nn.Linear(2, 1))))
    Traceback (most recent call last):
        ...
    TypeError: net must be made of plain modules: 0 (DataParallel) is a net in a wrapper; give ...
    """
    for name, module in net.named_modules():
        if why := wrapping(module):
            raise TypeError(
                f"net must be made of plain modules: {name or 'the net'} "
                f"({type(module).__name__}) {why}"
            )


def refuse_parameters(parameters: Sequence[Tensor]) -> None:
    """Raise if there are no parameters, or they cannot be computed with.

    Raises
    ------
    ValueError
        If there are none, or they are of half precision, in which margins have three digits.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import refuse_parameters
    >>> refuse_parameters(list(nn.Linear(2, 1).parameters()))
    >>> refuse_parameters(list(nn.Linear(2, 1).bfloat16().parameters()))
    Traceback (most recent call last):
        ...
    ValueError: net must have parameters of single or double precision, got bfloat16; call ...
    """
    if not parameters:
        raise ValueError("net has no parameters; give one that can be trained")
    coarse = [p for p in parameters if p.dtype not in (torch.float32, torch.float64)]
    if coarse:
        raise ValueError(
            "net must have parameters of single or double precision, got "
            f"{str(coarse[0].dtype).removeprefix('torch.')}; call net.double()"
        )


def refuse_gradient_hooks(net: nn.Module) -> None:
    """Raise if something acts on the gradients of a net: they are not those of its outputs.

    Raises
    ------
    ValueError
        If a parameter or a module has a hook on its gradient.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import refuse_gradient_hooks
    >>> net = nn.Linear(2, 1)
    >>> refuse_gradient_hooks(net)
    >>> handle = net.weight.register_hook(lambda gradient: 0 * gradient)
    >>> refuse_gradient_hooks(net)
    Traceback (most recent call last):
        ...
    ValueError: net has a hook on the gradient of weight, which may change it; call remove() on ...
    """
    hooked = [
        (f"hook on the gradient of {name}", "it")
        for name, p in net.named_parameters()
        if p._backward_hooks or getattr(p, "_post_accumulate_grad_hooks", None)
    ]
    hooked += [
        (f"{what} on {name or 'itself'} ({type(module).__name__})", "its gradients")
        for name, module in net.named_modules()
        for attribute, what in _GRADIENT_HOOKS.items()
        if getattr(module, attribute, None)
    ]
    if hooked:
        what, changed = hooked[0]
        raise ValueError(
            f"net has a {what}, which may change {changed}; call remove() on the handle that "
            "registering it returned"
        )


def refuse_frozen(net: nn.Module) -> None:
    """Raise if a parameter is not trained: norms and orders count them all.

    Raises
    ------
    ValueError
        If one has ``requires_grad=False``.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import refuse_frozen
    >>> net = nn.Linear(2, 1)
    >>> refuse_frozen(net)
    >>> _ = net.bias.requires_grad_(False)
    >>> refuse_frozen(net)
    Traceback (most recent call last):
        ...
    ValueError: all parameters of net must be trained, got bias with requires_grad=False; the norm ...
    """  # noqa: E501
    frozen = [name for name, p in net.named_parameters() if not p.requires_grad]
    if frozen:
        raise ValueError(
            f"all parameters of net must be trained, got {', '.join(frozen)} with "
            "requires_grad=False; the norm and the order are those of all of them: call "
            "net.requires_grad_(True), or hold what is fixed as a buffer"
        )


def private_copy(net: Net) -> Net:
    """Return a copy of a net in evaluation mode: whatever is done to it does not reach the net.

    Raises
    ------
    TypeError
        If it is no net, or stands in a wrapper.
    ValueError
        If a module holds a tensor that was computed from parameters, which cannot be copied, or a
        hook acts on gradients, which is not.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.reading import private_copy
    >>> net = nn.Dropout()
    >>> private_copy(net).training, net.training
    (False, True)
    """
    refuse_no_net(net)
    refuse_wrapped(net)
    refuse_meta(net)
    refuse_gradient_hooks(net)
    for name, module in net.named_modules():
        for attribute, value in vars(module).items():
            if isinstance(value, Tensor) and not value.is_leaf:
                why = tampering(module) or (
                    f"holds a {attribute} that is computed from parameters; compute it in forward"
                )
                raise ValueError(f"{name or 'the net'} ({type(module).__name__}) {why}")
    return copy.deepcopy(net).eval()


def as_outputs(outputs: object, n: int) -> Float[Tensor, "n *k"]:
    """Return what a net gave for `n` inputs as (n,) for one output, or (n, k) for k > 1 classes.

    A column (n, 1) is one output. Left as it is, its product with labels (n,) would be a table of
    each with each.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models.reading import as_outputs
    >>> as_outputs(torch.ones(3, 1), 3).shape, as_outputs(torch.ones(3, 2), 3).shape
    (torch.Size([3]), torch.Size([3, 2]))
    """
    shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    if isinstance(outputs, Tensor) and outputs.shape[:1] == (n,):
        if outputs.ndim == 1:
            return outputs
        if outputs.ndim == 2 and outputs.shape[1] > 0:
            return outputs.squeeze(1)
    raise ValueError(
        f"net must map inputs (n, …) to outputs (n,), (n, 1) or (n, k), got {shape} for n = {n}; "
        "end it with Flatten and a linear layer"
    )


def number_of_outputs(net: nn.Module, X: Float[Tensor, "n ..."]) -> int:
    """Return how many outputs a net has at each input: 1, or one for each class.

    Raises
    ------
    TypeError
        If it cannot be called with inputs alone.
    ValueError
        If the inputs do not fit the net, or what it returns is not one or more numbers for each.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models.reading import number_of_outputs
    >>> number_of_outputs(nn.Linear(2, 3), torch.ones(5, 2))
    3
    """
    some = X[:2]  # of one alone nobody sees what belongs to which
    try:
        with torch.no_grad():
            outputs = net(some)
    except TypeError as error:
        raise TypeError(
            f"net must compute its outputs from the samples alone, as net(X), and said: {error}; "
            "wrap it in a module whose forward takes X only"
        ) from error
    except (RuntimeError, ValueError, LookupError) as error:
        for name, module in net.named_modules():
            if isinstance(module, nn.Embedding):
                k, width = module.weight.shape
                raise ValueError(
                    f"X must fit the net, got real numbers, and {name or 'the net'} (Embedding) "
                    "looks up whole ones; put a layer that computes the same of rows with a single "
                    f"1 in its place, torch.nn.Linear({k}, {width}, bias=False), and give these "
                    f"rows: X = torch.nn.functional.one_hot(torch.as_tensor(X).long(), {k})"
                ) from error
        raise ValueError(
            f"X must fit the net, got samples of shape {tuple(X.shape[1:])} ({error}); "
            "reshape the samples or build the net for them"
        ) from error
    outputs = as_outputs(outputs, len(some))
    return 1 if outputs.ndim == 1 else int(outputs.shape[1])


def with_parameters(
    net: nn.Module, names: Sequence[str] | None = None
) -> Callable[[Sequence[Tensor], Tensor], Any]:
    """Return a net as a function of its parameters and its inputs; the net keeps its own.

    Parameters
    ----------
    net
        The net. A module or a parameter may stand in two places.
    names
        The order of the parameters, by name; default that of ``net.parameters()``.

    Raises
    ------
    ValueError
        If the net has other parameters than `names`.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models.reading import with_parameters
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> twice = with_parameters(nn.Sequential(layer, layer))
    >>> twice([torch.tensor([[3.0]])], torch.tensor([[2.0]]))
    tensor([[18.]])
    """
    own = [name for name, _ in net.named_parameters()]
    order = own if names is None else list(names)
    if sorted(own) != sorted(order):
        raise ValueError(
            f"both nets must have the same parameters under the same names, got {own} and {order}"
        )
    place = {id(p): order.index(name) for name, p in net.named_parameters()}
    # PyTorch's own tying leaves a module that stands in two places with other parameters.
    owners = {
        f"{prefix}.{name}".lstrip("."): place[id(p)]
        for prefix, module in net.named_modules()
        for name, p in module._parameters.items()
        if p is not None
    }

    def outputs(values: Sequence[Tensor], inputs: Tensor) -> Any:
        named: Mapping[str, Tensor] = {name: values[i] for name, i in owners.items()}
        return torch.func.functional_call(net, dict(named), (inputs,), tie_weights=False)

    return outputs


def for_each(function: Callable[..., Any], values: Any, *per_sample: Any) -> Any:
    """Return function(values, …) for each sample, stacked, whatever the net does inside.

    All samples are computed at once where PyTorch's vmap can. It refuses a forward that branches on
    numbers, or writes in place: then one after the other.

    Parameters
    ----------
    function
        Returns a tensor or several, of `values` and of what belongs to one sample.
    values
        What is the same for all.
    per_sample
        Tensors, or tuples of them, with an axis of samples before their own.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models.reading import for_each
    >>> x = torch.tensor([1.0, -2.0])
    >>> for_each(lambda a, x: a * x if x.item() > 0 else 0 * x, 3.0, x)
    tensor([3., -0.])
    """
    try:
        at_once = torch.func.vmap(function, in_dims=(None, *[0] * len(per_sample)))
        return at_once(values, *per_sample)
    except RuntimeError as error:
        if "vmap" not in str(error):
            raise
    each = [zip(*p, strict=True) if isinstance(p, tuple) else p for p in per_sample]
    rows = [function(values, *one) for one in zip(*each, strict=True)]
    if isinstance(rows[0], Tensor):
        return torch.stack(rows)
    return tuple(torch.stack(pieces) for pieces in zip(*rows, strict=True))


def gradients_of_each(
    function: Callable[..., Tensor], values: Sequence[Tensor], *per_sample: Any
) -> tuple[Tensor, ...]:
    """Return the gradients of function(values, …) in the values, of each sample.

    As `torch.func.grad` would, which loads PyTorch's compiler at its first call: seconds.

    Parameters
    ----------
    function
        Returns a number, of `values` and of what belongs to one sample.
    values
        What is the same for all.
    per_sample
        As for `for_each`.

    Returns
    -------
    tuple
        For each of the values its gradients, (samples, …).

    Examples
    --------
    >>> import torch
    >>> from ibtools.models.reading import gradients_of_each
    >>> gradients_of_each(lambda v, x: x * v[0] ** 2, [torch.tensor(3.0)], torch.tensor([1.0, 2.0]))
    (tensor([ 6., 12.]),)
    """
    count = len(per_sample[0])
    # Of each sample its own values: then the sum's gradient has one row for each.
    own = [v.detach().expand(count, *v.shape).requires_grad_() for v in values]
    numbers = for_each(
        lambda _, copies, *rest: function(list(copies), *rest), None, tuple(own), *per_sample
    )
    found: tuple[Tensor, ...] = torch.autograd.grad(numbers.sum(), own, materialize_grads=True)
    return found
