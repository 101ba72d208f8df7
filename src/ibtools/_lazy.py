"""Names that a package offers without importing what they need until one of them is asked for."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


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
            if error.name != "torch":
                raise
            raise ModuleNotFoundError(
                f"{package}.{name} needs PyTorch, which is not installed; install it with\n"
                '    pip install "ibtools[nets]"\n'
                "or by itself with the command that https://pytorch.org shows for your machine",
                name="torch",
            ) from error
        return getattr(module, name)

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *home})

    return __getattr__, __dir__
