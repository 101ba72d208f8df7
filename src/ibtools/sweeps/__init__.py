"""Many runs: a list of independent tasks, run side by side, each on disk when it is finished."""

from ibtools.sweeps.outcomes import Outcome, outcomes
from ibtools.sweeps.sweep import Sweep, grid, load_sweep, sweep

__all__ = ["Outcome", "Sweep", "grid", "load_sweep", "outcomes", "sweep"]
