"""The public names of the package, and how each is called: as its docstring's example calls it.

A new function is in these tests by itself, and so is a new class with its methods and properties.
One that has no example, or whose example does not call it, fails with instructions. A method may do
without where the names of its parameters say what to pass (`STANDING`).
"""

import contextlib
import doctest
import importlib
import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import pytest

PACKAGES = ("data", "models", "trainers", "metrics", "theory", "show", "claims")

# What is too long for a test in a function's example is cut down here: the contract is about what
# goes in, and not about how far a run goes.
SHORTER: dict[str, dict[str, Any]] = {
    "descend": {"until_log10_loss": -3, "max_epochs": 50},
    "exact_flow": {"until_log_loss": -3},
    "gradient_descent": {"steps": 20},
    "kkt_point": {"max_iterations": 3},
    "l2_attack": {"steps": 3, "restarts": 1},
    "margin_flow": {"until_log10_loss": -5, "max_steps": 50},
    "mirror_descent": {"steps": 20},
    "psi_flow": {"until_psi": 3, "max_steps": 50},
    "sign_flip_bracket": {"w": [-1.0, 2.0], "X": [[1.0, 0.0]], "y": [1.0]},
    "train_two_layer": {"steps": 20},
    "train_two_layer_batch": {"steps": 20},
    "worst_defect_ratio": {"starts": 2, "steps": 2},
    "worst_gap_ratio": {"starts": 2, "steps": 2},
}


# What these names stand for in any method, given the object and how many features its data have.
STANDING: dict[str, Callable[[Any, int], Any]] = {
    "X": lambda _, d: np.linspace(-1.0, 1.5, 3 * d).reshape(3, d),
    "y": lambda _, d: np.array([1.0, -1.0, 0.5]),
    "residual": lambda _, d: np.array([0.5, -1.0, 2.0]),
    "rows": lambda _, d: np.eye(d),
    "parameters": lambda thing, _: thing.parameters.copy(),
    "accumulated": lambda _, d: np.linspace(-0.5, 0.25, d),
    "w": lambda _, d: np.linspace(-0.5, 1.0, d),
    "mirror": lambda _, d: np.linspace(-0.5, 0.25, d),
    "index": lambda *_: 0,
}
# PyTorch calls these, with what PyTorch's own modules take.
_OF_PYTORCH = {"forward"}


@dataclass
class Call:
    """One call of a public function."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    variadic: dict[str, Any] = field(default_factory=dict)

    def __call__(self, **changed: Any) -> Any:
        given = {**self.arguments, **changed}
        signature = inspect.signature(self.function)
        positional = [
            given.pop(name)
            for name, p in signature.parameters.items()
            if p.kind is p.POSITIONAL_ONLY and name in given
        ]
        for name, p in signature.parameters.items():
            if p.kind is p.VAR_POSITIONAL:
                several = given.pop(name, ())
                positional += several if isinstance(several, tuple) else (several,)
        return self.function(*positional, **given, **self.variadic)

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of what the call leaves out."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def optional(self, argument: str) -> bool:
        """Whether ``None`` is an answer."""
        annotation = inspect.signature(self.function).parameters[argument].annotation
        return "None" in str(annotation)

    def takes_sizes(self, argument: str) -> bool:
        """Whether an argument is a list of integers, which no array stands for."""
        annotation = inspect.signature(self.function).parameters[argument].annotation
        return "Sequence[int]" in str(annotation) or "tuple[int" in str(annotation)

    def takes_arrays(self, argument: str) -> bool:
        """Whether an array is an answer."""
        annotation = str(inspect.signature(self.function).parameters[argument].annotation)
        return "array_like" in annotation or "ndarray" in annotation

    def takes_anything(self, argument: str) -> bool:
        """Whether an argument is a list of things of any kind."""
        annotation = inspect.signature(self.function).parameters[argument].annotation
        return "Any" in str(annotation)


class _SeenError(Exception):
    """The call that was looked for."""


class _Recorder:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        signature = inspect.signature(self._function)
        bound = signature.bind(*arguments, **options)
        variadic: dict[str, Any] = {}
        for name, p in signature.parameters.items():
            if p.kind is p.VAR_KEYWORD:
                variadic = bound.arguments.pop(name, {})
        raise _SeenError(dict(bound.arguments), variadic)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def public() -> Iterator[tuple[str, Any]]:
    """Give every public name of the package with what it names."""
    for package in PACKAGES:
        module = importlib.import_module(f"ibtools.{package}")
        for name in module.__all__:
            yield f"{package}.{name}", getattr(module, name)


def functions(*packages: str) -> list[str]:
    """Return the names of the public functions of some packages."""
    return [
        name
        for name, thing in public()
        if inspect.isfunction(thing) and name.split(".")[0] in packages
    ]


def classes(*packages: str) -> list[str]:
    """Return the names of the public classes of some packages, but for errors and protocols."""
    return [
        name
        for name, thing in public()
        if inspect.isclass(thing)
        and name.split(".")[0] in packages
        and not issubclass(thing, BaseException)
        and not getattr(thing, "_is_protocol", False)
    ]


def made_by_users(*packages: str) -> list[str]:
    """Return those of the public classes whose docstring's example calls them.

    But for what the rule of a layer returns, each time that a net is read: it is a bare record.
    """
    return [
        n
        for n in classes(*packages)
        if _shown(named(n).__doc__, n.rpartition(".")[2])
        and named(n).__module__ != "ibtools.models.homogeneity"
    ]


def _shown(text: str | None, name: str) -> bool:
    steps = doctest.DocTestParser().get_examples(text or "")
    return any(f"{name}(" in step.source for step in steps)


def _members(*packages: str) -> Iterator[tuple[str, Any]]:
    """Give what the public classes have of ours, each where it is met first."""
    seen = set()
    for name in classes(*packages):
        for own in dir(named(name)):
            member = inspect.getattr_static(named(name), own)
            of = member.fget if isinstance(member, property) else member
            of = of.func if isinstance(of, cached_property) else getattr(of, "__func__", of)
            ours = str(getattr(of, "__module__", "")).startswith("ibtools.")
            hidden = own.startswith("_") and own != "__call__"
            if not callable(of) or hidden or not ours or own in _OF_PYTORCH or of in seen:
                continue
            seen.add(of)
            yield f"{name}.{own}", member


def methods(*packages: str) -> list[str]:
    """Return the names of the public methods of the public classes of some packages."""
    kinds = property | cached_property
    return [name for name, member in _members(*packages) if not isinstance(member, kinds)]


def properties(*packages: str) -> list[str]:
    """Return the names of the public properties of the public classes of some packages."""
    kinds = property | cached_property
    return [name for name, member in _members(*packages) if isinstance(member, kinds)]


def named(name: str) -> Any:
    """Return what a name of `public`, or one in a class of these, names."""
    package, *own = name.split(".")
    thing: Any = importlib.import_module(f"ibtools.{package}")
    for part in own:
        thing = getattr(thing, part)
    return thing


def example(name: str) -> Call:
    """Return the first call of a function in its docstring's example, shortened."""
    if name.count(".") == 2:
        return _example_of_method(name)
    function, own = named(name), name.partition(".")[2]
    with pytest.MonkeyPatch.context() as instead:  # the example imports it from its package
        home = importlib.import_module(f"ibtools.{name.partition('.')[0]}")
        instead.setattr(home, own, _Recorder(function))
        seen = _seen(function)
    if seen is None:
        raise AssertionError(
            f"ibtools.{name} cannot be held to the contract, since its docstring shows no call of "
            f"it: give it an example, '>>> {own}(...)', on data as small as they can be"
        )
    arguments, variadic = seen.args
    shorter = SHORTER.get(own, {})
    taken = inspect.signature(function).parameters
    return Call(
        function,
        arguments | {k: v for k, v in shorter.items() if k in taken},
        variadic | {k: v for k, v in shorter.items() if k not in taken},
    )


def _seen(of: Any) -> _SeenError | None:
    """Run an example up to the call that is looked for."""
    names: dict[str, Any] = {}
    for step in doctest.DocTestParser().get_examples(inspect.getdoc(of) or ""):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(step.source, "<an example>", "single"), names)
        except _SeenError as seen:
            return seen
    return None


def _example_of_method(name: str) -> Call:
    whose, _, own = name.rpartition(".")
    kind = named(whose)
    member = inspect.getattr_static(kind, own)
    home = next(c for c in kind.__mro__ if own in vars(c))
    plain = getattr(member, "__func__", member)

    def recorder(self: Any, *arguments: Any, **options: Any) -> None:
        bound = plain.__get__(self)
        signature = inspect.signature(bound)
        given = signature.bind(*arguments, **options).arguments
        kinds = {p.kind: p.name for p in signature.parameters.values()}
        raise _SeenError(bound, given, given.pop(kinds.get(inspect.Parameter.VAR_KEYWORD), {}))

    setattr(home, own, classmethod(recorder) if isinstance(member, classmethod) else recorder)
    try:
        seen = next(filter(None, (_seen(of) for of in (plain, kind))), None)
    finally:
        setattr(home, own, member)
    if seen is not None:
        return Call(*seen.args)
    thing = instance(whose)
    bound = getattr(thing, own)
    needed = [
        p.name
        for p in inspect.signature(bound).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if unknown := [n for n in needed if n not in STANDING]:
        raise AssertionError(
            f"ibtools.{name} cannot be held to the contract, since its docstring shows no call of "
            f"it and {unknown[0]} may be anything: give it an example, '>>> thing.{own}(...)', on "
            "data as small as they can be"
        )
    return Call(bound, {n: STANDING[n](thing, _features(thing)) for n in needed})


def _features(thing: Any) -> int:
    """Return how many features the data of a model or a potential have."""
    if hasattr(thing, "dim"):
        return int(thing.dim)
    return thing.W.shape[1] if hasattr(thing, "W") else getattr(thing, "predictor", np.ones(2)).size


@cache
def instance(name: str) -> Any:
    """Return an object of a public class: of its docstring's example, or what a function returns.

    It is one for all tests.
    """
    kind = named(name)
    names: dict[str, Any] = {}
    last: list[Any] = []
    for step in doctest.DocTestParser().get_examples(inspect.getdoc(kind) or ""):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(step.source, f"<example of {name}>", "single"), names)
        last = [v for v in names.values() if type(v) is kind]
        if last:
            return last[0]
    if name in made_by_users(name.split(".")[0]):
        return example(name)()
    own = kind.__name__
    for package in PACKAGES:
        for function in functions(package):
            returned = str(inspect.signature(named(function)).return_annotation)
            if own in returned.replace(".", " ").replace("[", " ").replace("'", " ").split():
                found = example(function)()
                for thing in (found, *(found if isinstance(found, tuple | list) else ())):
                    if type(thing) is kind:
                        return thing
    raise AssertionError(
        f"ibtools.{name} cannot be held to the contract: no public function is seen to return one; "
        f"give its docstring an example that has one in a name, '>>> one = ...'"
    )
