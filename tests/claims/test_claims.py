"""Every claim of the book holds, and a broken side makes it fail."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ibtools import claims
from ibtools.claims import (
    CHAPTERS,
    CLAIMS,
    Claim,
    ClaimError,
    Comparison,
    Scoreboard,
    imd,
    warping,
)
from ibtools.claims.__main__ import main
from ibtools.claims.claim import claim, is_worse, number
from ibtools.models import DiagonalNet, LinearNet, LinearNeuron
from ibtools.theory import WarpedPotential


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("theorem", CLAIMS, ids=lambda theorem: theorem.id)
def test_claim_holds(theorem: Claim) -> None:
    outcome = theorem.run()
    assert outcome.holds, outcome
    # A tolerance far above the error would hold for a wrong theorem too.
    assert outcome.comparison.tolerance <= 0.02


def test_ids_are_unique_and_name_their_chapter() -> None:
    ids = [theorem.id for theorem in CLAIMS]
    assert len(set(ids)) == len(ids)
    assert {name.split(".")[0] for name in ids} == set(CHAPTERS)


def test_every_claim_of_a_module_is_listed() -> None:
    files = {path.stem for path in Path(claims.__file__).parent.glob("*.py")}
    assert files - {"__init__", "__main__", "claim"} == set(CHAPTERS)
    for name in CHAPTERS:
        module = getattr(claims, name)
        defined = [value for value in vars(module).values() if isinstance(value, Claim)]
        assert defined == list(module.CLAIMS)
        assert set(defined) <= set(CLAIMS)


def test_claims_on_regression_need_no_torch() -> None:
    code = "import sys; from ibtools.claims import imd, warping; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("factor", [1.001, 0.999])
def test_a_wrong_potential_fails(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    right = imd.implicit_potential

    def wrong(net: DiagonalNet) -> object:
        q = right(net)
        return imd.HypentropyPotential(sqrt_k=q.sqrt_k * factor, start=q.start)

    monkeypatch.setattr(imd, "implicit_potential", wrong)
    monkeypatch.setattr(
        imd, "implicit_limit", lambda net, X, y: imd.bregman_projection(wrong(net), X, y).w
    )
    for theorem in (
        imd.theorem_1,
        imd.general_start,
        imd.row_space,
        imd.hessian_map,
    ):
        assert not theorem.run().holds, theorem.id


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_user")
def test_a_wrong_trainer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DiagonalNet.velocity

    def wrong(self: DiagonalNet, X: np.ndarray, residual: np.ndarray) -> np.ndarray:
        velocity = right(self, X, residual)
        velocity[: self.u_plus.size] *= 1.01
        return velocity

    monkeypatch.setattr(DiagonalNet, "velocity", wrong)
    for theorem in (imd.theorem_1, imd.general_start, imd.conservation, imd.collapse):
        assert not theorem.run().holds, theorem.id


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("factor", [1.001, 0.999])
def test_a_wrong_warp_fails(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    right = warping.implicit_potential

    def wrong(net: LinearNeuron) -> WarpedPotential:
        q = right(net)
        return WarpedPotential(delta=q.delta * factor, start=q.start * factor)

    monkeypatch.setattr(warping, "implicit_potential", wrong)
    for theorem in (
        warping.warped_metric,
        warping.clock,
        warping.mirror_variable,
        warping.theorem_2,
        warping.weaker_condition,
        warping.theorem_4,
        warping.theorem_4_kkt,
    ):
        assert not theorem.run().holds, theorem.id


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_user")
def test_a_neuron_trained_wrongly_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right, right_net = LinearNeuron.velocity, LinearNet.velocity

    def wrong(self: LinearNeuron, X: np.ndarray, residual: np.ndarray) -> np.ndarray:
        velocity = right(self, X, residual)
        velocity[0] *= 1.01
        return velocity

    def wrong_net(self: LinearNet, X: np.ndarray, residual: np.ndarray) -> np.ndarray:
        velocity = right_net(self, X, residual)
        velocity[: self.neurons] *= 1.01
        return velocity

    monkeypatch.setattr(LinearNeuron, "velocity", wrong)
    monkeypatch.setattr(LinearNet, "velocity", wrong_net)
    for theorem in (
        warping.clock,
        warping.theorem_2,
        warping.weaker_condition,
        warping.explicit,
        warping.anti_ntk,
        warping.kernel_gap_stays,
        warping.mahalanobis,
        warping.sign_flip_one_sample,
        warping.sign_flip_limit,
        warping.proposition_1,
        warping.theorem_3,
        warping.theorem_3_bound,
    ):
        assert not theorem.run().holds, theorem.id


def _claim(error: float) -> Claim:
    @claim("test.made-up", title="Made up", source="nobody", statement="1 < 2 & 2 > 1.")
    def made_up() -> Comparison:
        return Comparison("a & b", 1.0, 1.0 + error, error, "difference", 1e-3)

    return made_up


@pytest.mark.parametrize("error", [2e-3, np.nan, np.inf])
def test_check_raises_where_a_claim_fails(error: float) -> None:
    assert not _claim(error).run().holds
    with pytest.raises(ClaimError, match=r"Made up"):
        _claim(error).check()


@pytest.mark.parametrize("errors", [(np.nan, 1e-12), (1e-12, np.nan), (1e-12, np.nan, 1e-9)])
def test_a_nan_among_cases_is_the_worst_of_them(errors: tuple[float, ...]) -> None:
    worst = -1.0
    for error in errors:
        if is_worse(error, worst):
            worst = error
    assert np.isnan(worst)


def test_an_outcome_shows_itself() -> None:
    good, bad = _claim(1e-4).check(), _claim(1e-2).run()
    assert "✔ holds" in str(good)
    assert "✘ fails" in repr(bad)
    assert "1 &lt; 2 &amp; 2 &gt; 1." in good._repr_html_()
    assert "✘ fails" in bad._repr_html_()
    board = Scoreboard([good, bad])
    assert not board.all_hold
    assert "1 of 2 claims hold" in str(board)
    assert "1 of 2 claims hold" in board._repr_html_()
    assert "a &amp; b" in board._repr_html_()
    assert "Made up" in repr(board.statements())
    assert "1 &lt; 2" in board.statements()._repr_html_()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.25, "0.25"),
        (-1.5, "−1.5"),
        (1e-9, "10⁻⁹"),
        (-3.14e-12, "−3.1·10⁻¹²"),
        (2.5e7, "2.5·10⁷"),
        (np.nan, "nan"),
        (np.inf, "inf"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["imd.hessian-map-fails", "imd.row-space"]) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0].split() == [
        *("id", "source", "quantity", "predicted", "measured", "error", "tolerance", "holds?")
    ]
    assert "2 of 2 claims hold" in table
    assert main(["--json", "imd.hessian-map-fails"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["id"] == "imd.hessian-map-fails"
    assert record["holds"] is True
    assert record["predicted"] == pytest.approx(record["measured"], rel=1e-6, abs=0)


def test_command_line_fails_with_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ibtools.claims.__main__.CLAIMS", (_claim(1.0),))
    assert main([]) == 1
    assert main(["--json"]) == 1


def test_command_line_names_an_unknown_claim(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["imd.nothing"])
    assert stopped.value.code == 2
    assert "no claim 'imd.nothing'" in capsys.readouterr().err


def test_runs_as_a_module() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "ibtools.claims", "imd.hessian-map-fails"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "1 of 1 claims hold" in answer.stdout
