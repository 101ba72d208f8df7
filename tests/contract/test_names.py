"""One name per thing: the names that public signatures and records may not go back to.

What is looked at are the parameters of public functions and constructors, and the public attributes
of the classes of the package. A new function is in it by itself.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

import pytest
from walk import public


@dataclass
class Concept:
    """What has one name, and by which names it may not be called."""

    what: str
    name: str
    never: tuple[str, ...]
    but: tuple[str, ...] = ()
    """Where such a name is that of something else."""


CONCEPTS = [
    Concept(
        "η, the factor of the gradient in an update",
        "step_size",
        ("step", "eta", "lr", "learning_rate", "rate", "stepsize"),
    ),
    Concept("by how much a step raises ψ", "psi_step", ("rise", "psi_rise")),
    Concept("the largest ‖d‖/ρ of a step", "relative_step", ("max_relative_step", "rel_step")),
    Concept(
        "the number of updates: all of them are made",
        "steps",
        ("n_steps", "num_steps", "updates", "niter", "n_iter"),
    ),
    Concept(
        "the largest number of updates",
        "max_steps",
        ("maxiter", "max_iter", "step_limit", "most_steps", "max_updates"),
    ),
    Concept(
        "the largest number of passes over the data",
        "max_epochs",
        ("passes", "max_passes", "n_epochs", "num_epochs"),
    ),
    Concept(
        "every how many steps is recorded",
        "record_every",
        ("every", "record_interval", "save_every", "log_every"),
    ),
    Concept(
        "about how many records are taken",
        "record_count",
        ("records", "n_records", "num_records"),
    ),
    Concept("the factor between records", "record_growth", ("growth", "record_factor")),
    Concept(
        "the base-10 logarithm of the summed loss at which to stop",
        "until_log10_loss",
        ("until_loss", "target_loss", "until", "target"),
    ),
    Concept(
        "the natural logarithm of the summed loss",
        "log_loss",
        ("logloss", "ln_loss", "loss_log"),
    ),
    Concept(
        "the shape of one input",
        "input_shape",
        ("image", "image_shape", "in_shape", "size_of_input"),
    ),
    Concept(
        "the shape of a start: how its layers are balanced",
        "shape",
        ("init_shape",),
    ),
    Concept(
        "the power with which outputs grow with all parameters",
        "order",
        ("degree", "homogeneity_degree", "power_of_scale"),
    ),
    Concept(
        "the power with which outputs grow with each layer's parameters",
        "exponents",
        ("degrees", "orders"),
    ),
    Concept(
        "how a net that is only nearly homogeneous grows: M and its bounds",
        "near_homogeneity",
        ("offset", "h", "near", "gap_bounds"),
        but=("theory.SeparationConstants", "theory.HypentropyPotential"),  # of the path; of q
    ),
    Concept("the number of samples", "n", ("samples", "n_samples", "num_samples", "sample_count")),
    Concept(
        "ε of an (ε, δ)-KKT point",
        "stationarity",
        ("kkt_residual", "epsilon", "stationarity_residual"),
    ),
    Concept("ε over the norm", "relative_stationarity", ("relative", "relative_residual")),
    Concept("what decides randomness", "seed", ("random_state", "rng", "generator", "seeds")),
    Concept("the labels", "y", ("labels", "targets", "Y")),
    Concept("the slope of a leaky ReLU on negative inputs", "slope", ("negative_slope", "leak")),
]


def names() -> Iterator[tuple[str, str]]:
    """Give each public function or class with the names it is used by."""
    for name, thing in public():
        if inspect.isclass(thing):
            if not issubclass(thing, BaseException):
                yield from ((name, own) for own in _of_class(thing))
        elif inspect.isfunction(thing):
            yield from ((name, own) for own in inspect.signature(thing).parameters)


def _of_class(kind: type) -> set[str]:
    ours = [c for c in kind.__mro__ if c.__module__.startswith("ibtools")]
    found = {own for c in ours for own in vars(c) if not own.startswith("_")}
    if is_dataclass(kind):
        found |= {f.name for f in fields(kind) if not f.name.startswith("_")}
    methods = [m for c in ours for m in vars(c).values() if inspect.isfunction(m)]
    for method in methods:
        if method.__name__ == "__init__" or not method.__name__.startswith("_"):
            found |= set(inspect.signature(method).parameters) - {"self"}
    return found


NAMES = sorted(set(names()))


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.name)
def test_each_thing_has_one_name(concept: Concept) -> None:
    others = [
        f"ibtools.{where} calls it {name}"
        for where, name in NAMES
        if name in concept.never and where not in concept.but
    ]
    assert not others, f"{concept.what} is {concept.name} everywhere; {'; '.join(others)}"
    assert concept.name in {name for _, name in NAMES}, f"nothing is called {concept.name}"


def test_names_of_a_class_are_its_fields_methods_and_their_parameters() -> None:
    of = {own for where, own in NAMES if where == "theory.TwoLayerLimit"}
    assert {"multipliers", "loss_time", "step_size", "margin_gap"} <= of


def test_no_exception_is_left_over() -> None:
    known = {where for where, _ in NAMES}
    for concept in CONCEPTS:
        for where in concept.but:
            assert where in known
            assert {name for at, name in NAMES if at == where} & set(concept.never)


def test_no_name_is_both_allowed_and_not() -> None:
    allowed = [concept.name for concept in CONCEPTS]
    never = [name for concept in CONCEPTS for name in concept.never]
    assert len(set(allowed)) == len(allowed)
    assert len(set(never)) == len(never)
    assert not set(allowed) & set(never)
