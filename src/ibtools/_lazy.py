"""What is needed only sometimes: imported when it is asked for, and named where it is missing."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

# What the extras of the package bring: its name, the extra, and what else mends its absence.
_EXTRAS = {
    "torch": (
        "PyTorch",
        "nets",
        "\nor by itself with the command that https://pytorch.org shows for your machine",
    ),
    "matplotlib": ("Matplotlib", "show", ""),
    "ipywidgets": (
        "ipywidgets",
        "show",
        "\nor take explore(...).html(), the figure as a block of HTML, which needs none",
    ),
}


def not_installed(what: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return an error that says how to install what is missing, or the one that was given.

    Parameters
    ----------
    what
        What needs it.
    error
        What Python says. Other packages than those of the extras are always there.
    """
    if error.name not in _EXTRAS:
        return error
    name, extra, besides = _EXTRAS[error.name]
    return ModuleNotFoundError(
        f"{what} needs {name}, which is not installed; install it with\n"
        f'    pip install "ibtools[{extra}]"{besides}',
        name=error.name,
    )


def lazily(
    package: str, offered: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports submodules on demand.

    Parameters
    ----------
    package
        Its name.
    offered
        For each submodule the names it offers.

    Returns
    -------
    tuple
        The two functions. A name whose submodule needs PyTorch, where that is missing, is answered
        by a `ModuleNotFoundError` that says how to install it.
    """
    home = {name: module for module, names in offered.items() for name in names}

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(f"{package}.{home[name]}")
        except ModuleNotFoundError as error:
            if (told := not_installed(f"{package}.{name}", error)) is error:
                raise
            raise told from error
        return getattr(module, name)

    def __dir__() -> list[str]:  # noqa: N807
        own = vars(sys.modules[package]).keys() - {"TYPE_CHECKING", "lazily"}
        return sorted({*own, *home})

    return __getattr__, __dir__
