"""What is kept of a run as it goes on."""

from typing import Any

import numpy as np

from ibtools.trainers.margins.runs import SCALARS, MarginRun, flat_parameters

# Records keep all parameters up to this many numbers (64 MB), and beyond it the last ones only.
_KEPT = 8_000_000


class Recorder:
    """Collects the records of a run as it goes on."""

    def __init__(self, resume: MarginRun | None = None) -> None:
        # One list, so that no interruption leaves half a record.
        self._records: list[tuple[tuple[float, ...], np.ndarray, np.ndarray | None]] = []
        self._keeps_states = True
        if resume is None:
            return
        self._keeps_states = resume._states is not None
        last = len(resume.steps) - 1
        for i in range(len(resume.steps)):
            row = tuple(float(getattr(resume, name)[i]) for name in SCALARS)
            flat = None if resume._states is None else resume._states[i]
            if i == last and flat is None:
                flat = flat_parameters(resume.net).cpu().numpy()
            self._records.append((row, resume.layer_norms[i], flat))

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def add(self, flat: np.ndarray, layer_norms: np.ndarray, **values: float) -> None:
        """Add one record; the alignment with the last one is computed here.

        Wherever this is interrupted, `cut` to what there was before leaves it as if never begun.
        """
        alignment = np.nan
        before = self._records[-1][2] if self._records else None
        if before is not None:
            moved = flat - before
            size = np.linalg.norm(moved) * np.linalg.norm(flat)
            alignment = float(moved @ flat / size) if size > 0 else np.nan
        row = {**values, "alignment": alignment}
        self._records.append((tuple(float(row[name]) for name in SCALARS), layer_norms, flat))
        if self._keeps_states and flat.size * len(self._records) > _KEPT:
            self._keeps_states = False
        if not self._keeps_states:
            self._forget()

    def _forget(self) -> None:
        """Let go of all parameters but those of the last two records, one of which may be cut."""
        for i in range(len(self._records) - 3, -1, -1):
            row, norms, flat = self._records[i]
            if flat is None:
                break
            self._records[i] = (row, norms, None)

    def cut(self, length: int) -> None:
        """Drop the records after the first `length`."""
        del self._records[length:]

    def last(self, name: str) -> float:
        """Return the last value of a column."""
        return self._records[-1][0][SCALARS.index(name)]

    def columns(self) -> dict[str, Any]:
        """Return what was recorded as arrays by name."""
        table = np.array([row for row, _, _ in self._records])
        columns: dict[str, Any] = {name: table[:, i] for i, name in enumerate(SCALARS)}
        for name in ("steps", "evaluations", "smoothed_margin_drops"):
            columns[name] = columns[name].astype(np.int64)
        columns["layer_norms"] = np.array([norms for _, norms, _ in self._records])
        states = [flat for _, _, flat in self._records if flat is not None]
        columns["_states"] = np.array(states) if self._keeps_states else None
        return columns
