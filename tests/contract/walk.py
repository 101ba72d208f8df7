"""The public names of the package, and how each is called: as its docstring's example calls it.

A new function is in these tests by itself. One that has no example, or whose example does not call
it, fails with instructions.
"""

import contextlib
import doctest
import importlib
import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

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
                positional += given.pop(name, ())
        return self.function(*positional, **given, **self.variadic)

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of what the call leaves out."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def optional(self, argument: str) -> bool:
        """Whether ``None`` is an answer."""
        annotation = inspect.signature(self.function).parameters[argument].annotation
        return "None" in str(annotation)


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


def named(name: str) -> Any:
    """Return what a name of `public` names."""
    package, _, own = name.partition(".")
    return getattr(importlib.import_module(f"ibtools.{package}"), own)


def example(name: str) -> Call:
    """Return the first call of a function in its docstring's example, shortened."""
    function, own = named(name), name.partition(".")[2]
    home = importlib.import_module(function.__module__)
    names = {**vars(home), own: _Recorder(function)}
    parsed = doctest.DocTestParser().get_examples(inspect.getdoc(function) or "")
    for step in parsed:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(step.source, f"<example of {name}>", "single"), names)
        except _SeenError as seen:
            arguments, variadic = seen.args
            shorter = SHORTER.get(own, {})
            taken = inspect.signature(function).parameters
            return Call(
                function,
                arguments | {k: v for k, v in shorter.items() if k in taken},
                variadic | {k: v for k, v in shorter.items() if k not in taken},
            )
    raise AssertionError(
        f"ibtools.{name} cannot be held to the contract, since its docstring shows no call of it: "
        "give it an example, '>>> " + own + "(...)', on data as small as they can be"
    )
