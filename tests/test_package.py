"""The package as a whole: who may import whom, what importing it costs, what it offers."""

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import ibtools

_ROOT = Path(ibtools.__file__).parent
_REPOSITORY = Path(__file__).parents[1]


def _floors(text: str) -> dict[str, int]:
    """Return the floor of each package, by the table of ARCHITECTURE.md."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", text, re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)`", names)}


_FLOORS = _floors((_REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8"))
_OFFERS = {
    "ibtools.data": {"sparse_regression", "diabetes_interactions"},
    "ibtools.models": {"DiagonalNet"},
    "ibtools.trainers": {
        "gradient_flow",
        "mirror_flow",
        "metric_flow",
        "gradient_descent",
        "RegressionRun",
        "TrainingWarning",
    },
    "ibtools.theory": {
        "implicit_limit",
        "implicit_potential",
        "bregman_projection",
        "minimum_l1_interpolator",
        "minimum_norm_interpolator",
        "hessian_map_defect",
        "AccuracyWarning",
    },
    "ibtools.metrics": {
        "population_error",
        "mean_squared_error",
    },
}


def _floor_of(module: str) -> str:
    return module.split(".")[1] if module.startswith("ibtools.") else ""


def imported(source: str, module: str) -> set[str]:
    """Return the names of all modules that `source` imports, anywhere in it, relative or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, node.module] if node.module else package)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def _offences(source: str, module: str) -> set[str]:
    own = _floor_of(module)
    others = {_floor_of(name) for name in imported(source, module)} & set(_FLOORS)
    return {other for other in others if other != own and _FLOORS.get(other, 9) >= _FLOORS[own]}


def _modules() -> dict[str, Path]:
    found = {}
    for path in _ROOT.rglob("*.py"):
        parts = path.relative_to(_ROOT.parent).with_suffix("").parts
        found[".".join(parts)] = path
    return found


def test_no_import_goes_up_a_floor_or_around() -> None:
    modules = {name: path for name, path in _modules().items() if name != "ibtools.__init__"}
    assert {_floor_of(name) for name in modules} == set(_FLOORS), "a floor is new: give it a level"
    offences = {
        name: found
        for name, path in modules.items()
        if (found := _offences(path.read_text(), name))
    }
    assert offences == {}


def _cycles(sources: Mapping[str, str]) -> list[list[str]]:
    """Return the modules that import each other, each ring sorted."""
    sees = {
        name: imported(source, name) & set(sources) - {name} for name, source in sources.items()
    }
    reached = {name: set(found) for name, found in sees.items()}
    for through in sources:
        for found in reached.values():
            if through in found:
                found |= reached[through]
    rings = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in sources
        if name in reached[name]
    }
    return sorted(map(list, rings))


def test_no_modules_import_each_other() -> None:
    # A package's __init__ collects what its modules define.
    sources = {name: path.read_text() for name, path in _modules().items()}
    assert _cycles({k: v for k, v in sources.items() if not k.endswith("__init__")}) == []
    # Inside a function as well, and for types only.
    late = "if TYPE_CHECKING:\n    from .b import B\n"
    assert _cycles(
        {"p.a": late, "p.b": "def f():\n    from p import a\n", "p.c": "import p.a"}
    ) == [["p.a", "p.b"]]


def test_the_package_itself_imports_no_floor() -> None:
    assert imported((_ROOT / "__init__.py").read_text(), "ibtools.__init__") == set()


@pytest.mark.parametrize(
    "source",
    [
        "import ibtools.trainers",
        "from ibtools.trainers import gradient_flow",
        "from ibtools import trainers",
        "from ..trainers.flow import gradient_flow",
        "from .. import claims",
        "def f():\n    from ibtools.claims.imd import CLAIMS",
    ],
)
def test_the_floor_test_sees_every_way_to_import(source: str) -> None:
    assert _offences(source, "ibtools.theory.optima")


def test_the_table_of_floors_is_read_as_it_stands() -> None:
    assert _floors("| 0 | `_a`, `b` | what |\n|---|---|---|\n| 12 | `c` | `d` |") == {
        "_a": 0,
        "b": 0,
        "c": 12,
    }
    assert _FLOORS["data"] < _FLOORS["models"] < _FLOORS["theory"] == _FLOORS["trainers"]


def test_the_floors_stand_in_one_place() -> None:
    for path in ("CONTRIBUTING.md", "README.md", "src/ibtools/__init__.py"):
        text = (_REPOSITORY / path).read_text(encoding="utf-8")
        assert not re.search(r"`data`+ *<|floors, from the ground up", text), path


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_is_quick_and_the_regression_half_needs_no_torch() -> None:
    # What is imported is exact; how long it takes is the machine's affair.
    heavy = "{'torch', 'matplotlib', 'ipywidgets', 'IPython', 'sklearn', 'joblib'}"
    seen = _run(
        "import sys, ibtools\n"
        f"print(sorted({heavy} & set(sys.modules)), 'numpy' in sys.modules)\n"
        "from ibtools import data, models, trainers, metrics, theory\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    assert seen.splitlines() == ["[] False", "[]"]


def test_training_a_net_loads_nothing_that_takes_longer_than_pytorch() -> None:
    # SymPy and PyTorch's compiler come with some functions of PyTorch, at the first call.
    seen = _run(
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from ibtools import metrics, models, trainers\n"
        "X, y = [[3.0, -1.0], [1.0, 2.0], [-4.0, -4.0]], [1.0, 1.0, -1.0]\n"
        "net = models.MLP([2, 3, 1], 'squared_relu', seed=0)\n"
        "models.ConvNet((1, 4, 4), [[2]], outputs=2, seed=0)\n"
        "some = dict(max_steps=2)\n"
        "trainers.margin_flow(net, X, y, **some)\n"
        "trainers.psi_flow(net, X, y, **some)\n"
        "trainers.exact_flow(net, X, y, until_log_loss=-2.0)\n"
        "for batch in (dict(), dict(batch_size=2, seed=0)):\n"
        "    trainers.descend(net, X, y, step_size=0.1, max_epochs=2, **batch)\n"
        "line = models.DeepLinear(d=2, depth=2, seed=0)\n"
        "run = trainers.margin_flow(line, X, y, until_log10_loss=-1)\n"
        "metrics.certified_radius(run.net, X, y)\n"
        "metrics.margin_kkt(run.net, X, y)\n"
        "print(*sorted({'sympy', 'torch._dynamo', 'torch._inductor'} & set(sys.modules)))"
    )
    assert seen.split() == []


def test_theory_and_trainers_never_load_each_other() -> None:
    seen = _run(
        "import sys, ibtools.theory\n"
        "print('ibtools.trainers' in sys.modules)\n"
        "for name in [name for name in sys.modules if name.startswith('ibtools')]:\n"
        "    del sys.modules[name]\n"
        "import ibtools.trainers\n"
        "print('ibtools.theory' in sys.modules)"
    )
    assert seen.split() == ["False", "False"]


@pytest.mark.parametrize("package", sorted(_OFFERS))
def test_offers_what_was_promised_and_documents_it(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) >= _OFFERS[package]
    for name in module.__all__:
        assert (getattr(module, name).__doc__ or "").strip(), f"{package}.{name} has no docstring"


@pytest.mark.parametrize("package", sorted(_OFFERS))
def test_a_name_that_is_offered_is_listed(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


def test_without_torch_each_name_works_or_says_how_to_install_it() -> None:
    told = _run(
        "import importlib, sys\n"
        "sys.modules['torch'] = None\n"
        f"for package in {sorted(_OFFERS)}:\n"
        "    module = importlib.import_module(package)\n"
        "    for name in module.__all__:\n"
        "        try:\n"
        "            getattr(module, name)\n"
        "        except ModuleNotFoundError as error:\n"
        "            print(f'{package}.{name}', '|', ' '.join(str(error).split()))"
    )
    answers = dict(line.split(" | ") for line in told.splitlines())
    assert {"ibtools.trainers.margin_flow", "ibtools.models.MLP"} <= set(answers)
    for name, answer in answers.items():
        assert answer.startswith(f"{name} needs PyTorch")
        assert 'pip install "ibtools[nets]"' in answer


def test_without_matplotlib_everything_but_the_figures_works() -> None:
    told = _run(
        "import importlib, sys\n"
        "sys.modules['matplotlib'] = sys.modules['ipywidgets'] = None\n"
        "for package in ('data', 'models', 'trainers', 'metrics', 'theory', 'sweeps', 'course'):\n"
        "    module = importlib.import_module(f'ibtools.{package}')\n"
        "    assert all(hasattr(module, name) for name in module.__all__)\n"
        "from ibtools.claims import imd\n"
        "try:\n"
        "    import ibtools.show\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error.name, '|', error)"
    )
    name, _, answer = told.partition(" | ")
    assert name == "matplotlib"
    assert answer.startswith("ibtools.show needs Matplotlib, which is not installed")
    assert 'pip install "ibtools[show]"' in answer


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, path in _modules().items()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("ibtools") == ibtools.__version__
