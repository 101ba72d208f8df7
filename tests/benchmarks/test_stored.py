"""What the book shows of the benchmarks is what they compare now."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks import defined, store
from ibtools.experiments import load_result
from ibtools.experiments.results import folder_of_results


@pytest.fixture
def sections() -> dict[str, dict[str, Any]]:
    return {run["section"]: copy.deepcopy(dict(run)) for run in load_result(store.NAME).runs}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    shutil.copy(folder_of_results() / f"{store.NAME}.json", tmp_path)
    return tmp_path


def test_every_row_is_kept(sections: dict[str, dict[str, Any]]) -> None:
    assert list(sections) == list(defined.SECTIONS)
    lost = store.differing(sections.values())
    assert not lost, f"{lost}: python -m benchmarks --keep --only {' '.join(lost)}"


def test_every_row_was_run_and_says_how(sections: dict[str, dict[str, Any]]) -> None:
    about = load_result(store.NAME).about
    assert {"command", "commit", "date", "machine", "versions", "seconds"} <= set(about)
    assert None not in about["versions"].values()
    seconds = sum(section["cpu_seconds"] for section in sections.values())
    assert about["seconds"] == pytest.approx(seconds, rel=0.01, abs=0)
    for name, section in sections.items():
        assert section["cap"] > 0, name
        assert min(s for s in section["seconds"] if s is not None) > 0, name
        for ratio in section.get("ratio", ()):
            assert ratio is None or ratio > 0, name
    assert (folder_of_results() / f"{store.NAME}.json").stat().st_size < 100_000


def test_a_row_that_is_lost_or_new_is_seen(sections: dict[str, dict[str, Any]]) -> None:
    sections["mnist"]["name"][0] = "someone else"
    del sections["imports"]
    lost = store.differing(sections.values())
    assert set(lost) == {"mnist", "imports"}
    assert len(lost["mnist"]) == 2


def test_a_section_is_kept_in_place_of_the_one_before(
    sections: dict[str, dict[str, Any]], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "provenance", lambda *_: copy.deepcopy(_about()))
    monkeypatch.setattr(store, "_version", _about()["versions"].get)
    sections["imports"]["seconds"][0] = 7.0
    assert store.keep({"imports": sections["imports"]}, kept).startswith("kept in")
    again = load_result(store.NAME, kept)
    assert [run["section"] for run in again.runs] == list(defined.SECTIONS)
    assert again.run(section="imports")["seconds"][0] == 7.0
    assert again.run(section="limits") == sections["limits"]


def test_what_is_not_whole_or_of_another_machine_is_not_kept(
    sections: dict[str, dict[str, Any]], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (kept / f"{store.NAME}.json").read_text()
    other = _about() | {"machine": "another"}
    monkeypatch.setattr(store, "provenance", lambda *_: copy.deepcopy(other))
    with pytest.raises(ValueError, match="other machine"):
        store.keep({"imports": sections["imports"]}, kept)
    limits = sections["limits"]
    limits["seconds"][4], limits["note"][4] = None, "not run: jax is not installed here"
    with pytest.raises(ValueError, match=r"install benchmarks/requirements\.txt"):
        store.keep({"limits": limits}, kept)
    sections["mnist"]["problem"][0] = "MNIST, 60000 digits"
    with pytest.raises(ValueError, match="not all rows"):
        store.keep({"mnist": sections["mnist"]}, kept)
    assert (kept / f"{store.NAME}.json").read_text() == before


def _about() -> dict[str, Any]:
    about = dict(load_result(store.NAME).about)
    return about | {"versions": dict(about["versions"]), "memory": 0.0}
