"""Every claim of the book holds, and a broken side makes it fail."""

import ast
import dataclasses
import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from broken_sides import SIDES, run_and_break
from once import call_once

from ibtools import claims
from ibtools.claims import (
    CHAPTERS,
    CLAIMS,
    Claim,
    ClaimError,
    Comparison,
    Outcome,
    Scoreboard,
    imd,
    warping,
)
from ibtools.claims.__main__ import main
from ibtools.claims.claim import Worst, claim, excess, largest, number, smallest
from ibtools.models import DiagonalNet, LinearNet, LinearNeuron
from ibtools.theory import WarpedPotential
from ibtools.trainers.flow import row_space

# Sides that no function of theory, trainers or metrics computes, and what does instead:
# claim: {side: where it is worked out}.
IN_PLACE: dict[str, dict[str, str]] = {
    "warping.hessian-map-defect": {"simulation": "a derivative of the model's metric, no run"},
    "warping.not-warpable": {"simulation": "two derivations of one tensor, no run"},
    "warping.own-clocks": {"theory": "a quadrature in the claim"},
    "warping.proposition-1": {"theory": "a generic minimizer in the claim"},
    "warping.many-neurons-reweighting": {"theory": "it names no limit"},
    "warping.leaky-wait": {"theory": "a quadrature in the claim"},
    "homogeneous.euler": {
        "theory": "the order is counted by the models",
        "simulation": "outputs and their derivatives by PyTorch",
    },
    "homogeneous.smoothed-margin": {"theory": "no fall"},
    "homogeneous.margin-growth": {"theory": "integrated beside the path"},
    "homogeneous.bracket": {"theory": "both bounds are a line each"},
    "homogeneous.kkt-identity": {"theory": "√(2(1−β)) γ̄^(−1/L), from each sample's own gradient"},
    "homogeneous.complementarity": {"theory": "the bound is a line"},
    "imd.hessian-map-fails": {"simulation": "the metric is differentiated, and by hand; no run"},
    "imd.innocent-warped": {"theory": "the potential is written out and given to SciPy"},
    "non_homogeneous.attention": {"theory": "the variance under the softmax weights, in NumPy"},
    "non_homogeneous.normalization": {"theory": "2/√27"},
    "non_homogeneous.sign-flow": {"theory": "p′ = max‖x‖₁ρ"},
    "non_homogeneous.bias-wins": {"theory": "½ log 3 and log(4/√3)"},
    "two_layer.gram": {"theory": "following the weights themselves is the other side"},
    "two_layer.loss-rate": {"theory": "the power −1 of t is what is claimed"},
    "two_layer.start": {"simulation": "starts are drawn and nothing is trained"},
    "two_layer.start-shares": {"simulation": "starts are drawn and nothing is trained"},
}


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("theorem", CLAIMS, ids=lambda theorem: theorem.id)
def test_claim_holds_and_fails_when_either_side_is_broken(theorem: Claim) -> None:
    outcome, verdicts = run_and_break(theorem)
    assert outcome.holds, outcome
    # A tolerance far above the error would hold for a wrong theorem too.
    assert outcome.comparison.tolerance <= 0.02
    _the_relation_is_shown(outcome)
    outcome.keep()  # for the pages, if this is part of a run of all checks
    for side in SIDES:
        if side in IN_PLACE.get(theorem.id, {}):
            assert side not in verdicts, f"{side} of {theorem.id} is not worked out in place"
            continue
        assert side in verdicts, f"no function of the {side} side is called by {theorem.id}"
        assert not verdicts[side]["nan"], f"{theorem.id} holds on a {side} side that is NaN"
        seen = [how for how, holds in verdicts[side].items() if how != "nan" and not holds]
        assert seen, f"{theorem.id} holds whatever the {side} side says"


def _the_relation_is_shown(outcome: Outcome) -> None:
    """The numbers that are shown stand in the relation that is asserted of them."""
    c, relation = outcome.comparison, outcome.claim.relation
    if relation == "moves":
        assert c.predicted is None
        assert c.measured > 0
        return
    slack = 0.02 * max(abs(c.predicted), abs(c.measured), 1e-300) + c.tolerance
    difference = c.measured - c.predicted
    assert relation == "≥" or difference >= -slack, outcome
    assert relation == "≤" or difference <= slack, outcome
    if relation != "=":
        assert 0 <= c.room < 1, "a bound of which nothing is used, or too much, says little"


def test_ids_are_unique_and_name_their_chapter() -> None:
    ids = [theorem.id for theorem in CLAIMS]
    assert len(set(ids)) == len(ids)
    # The claims of one chapter fill two modules.
    assert {name.split(".")[0] for name in ids} == set(CHAPTERS) - {"homogeneous_theorems"}


def test_every_claim_of_a_module_is_listed() -> None:
    files = {path.stem for path in Path(claims.__file__).parent.glob("*.py")}
    assert files - {"__init__", "__main__", "claim", "kept"} == set(CHAPTERS)
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
    call_once(monkeypatch, imd)
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
    call_once(monkeypatch, warping)
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

    right_field = row_space._neuron_field

    def wrong_field(*data: np.ndarray) -> Callable[[float, np.ndarray], np.ndarray]:
        field = right_field(*data)

        def velocity(time: float, state: np.ndarray) -> np.ndarray:
            moved = field(time, state)
            moved[0] *= 1.01
            return moved

        return velocity

    monkeypatch.setattr(LinearNeuron, "velocity", wrong)
    monkeypatch.setattr(row_space, "_neuron_field", wrong_field)
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
        warping.warp_found,
        warping.kernel_gap,
        warping.one_neuron_reweighting,
        warping.many_neurons_reweighting,
        warping.isotropic_start,
    ):
        assert not theorem.run().holds, theorem.id


@pytest.mark.usefixtures("as_a_user")
def test_a_leaky_neuron_of_the_wrong_slope_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its limit does not see the size of the slope in the gradient; how long it takes does.
    right = LinearNeuron.velocity

    def wrong(self: LinearNeuron, X: np.ndarray, residual: np.ndarray) -> np.ndarray:
        factor = np.where(X @ self.w >= 0, 1.0, 1.01)
        return right(self, X, factor * residual)

    monkeypatch.setattr(LinearNeuron, "velocity", wrong)
    outcome = warping.leaky_wait.run()
    assert not outcome.holds
    assert outcome.comparison.error > 5e-3


def _claim(error: float) -> Claim:
    @claim("test.made-up", title="Made up", source="nobody", statement="$1 < 2$ & $2 > 1$.")
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
    worst = Worst()
    for case, error in enumerate(errors):
        worst.see([error, 0.0], float(case), float(case))
    assert np.isnan(worst.error)
    assert np.isnan(errors[int(worst.measured)])
    assert np.isnan(largest(0.0, [1.0, *errors]))
    assert np.isnan(smallest([1.0, *errors], 0.0))
    assert np.isnan(excess(np.array(errors), 1.0)).any()


def test_the_worst_of_several_cases() -> None:
    worst = Worst()
    for case, (error, room) in enumerate([(0.1, 0.5), (0.3, 0.2), (0.2, 0.4)]):
        worst.see(error, float(case), case + 1.0, room=room)
    found = worst.comparison("x", "y", 0.5)
    assert (found.predicted, found.measured, found.error, found.room) == (1, 2, 0.3, 0.2)
    assert worst.cases == 3
    assert np.isnan(Worst().comparison("x", "y", 0.5).error)


def test_excess_is_zero_within_the_bound() -> None:
    assert excess(np.array([1.0, 3.0]), 2.0).tolist() == [0.0, 0.5]


GOOD = Comparison("x", 1.0, 1.0, 0.0, "difference", 1e-3, 0.1)


JUDGED = {
    "=": {"predicted", "measured", "error", "tolerance"},
    "≤": {"predicted", "measured", "error", "tolerance", "room"},
    "≥": {"predicted", "measured", "error", "tolerance", "room"},
    "moves": {"measured", "error", "tolerance"},
}


@pytest.mark.parametrize("relation", JUDGED)
@pytest.mark.parametrize("field", ["predicted", "measured", "error", "tolerance", "room"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_only_numbers_hold(relation: str, field: str, value: float) -> None:
    theorem = dataclasses.replace(_claim(0.0), relation=relation)
    assert Outcome(theorem, GOOD, 0.0).holds
    spoiled = Outcome(theorem, dataclasses.replace(GOOD, **{field: value}), 0.0)
    assert spoiled.holds is (field not in JUDGED[relation])


def test_an_equation_predicts_and_a_bound_has_room() -> None:
    for relation, missing in (("=", "predicted"), ("≤", "room"), ("≥", "room")):
        theorem = dataclasses.replace(_claim(0.0), relation=relation)
        assert not Outcome(theorem, dataclasses.replace(GOOD, **{missing: None}), 0.0).holds


@pytest.mark.usefixtures("as_a_user")
def test_a_relation_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="relation must be one of"):
        claim("a.b", title="", source="", statement="", relation="<")


def test_claims_use_no_maximum_that_forgets_a_nan() -> None:
    forgetful = {"max", "min", "nanmax", "nanmin", "fmax", "fmin"}
    for name in CHAPTERS:
        tree = ast.parse(Path(getattr(claims, name).__file__).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                method = isinstance(node.func, ast.Attribute) and called in ("max", "min")
                assert method or called not in forgetful, f"{name}.py:{node.lineno}"


def test_an_outcome_shows_itself() -> None:
    good, bad = _claim(1e-4).check(), _claim(1e-2).run()
    assert "✔ holds" in str(good)
    assert "✘ fails" in repr(bad)
    assert "1 < 2 & 2 > 1." in str(good)
    assert "1 &lt; 2 &amp; 2 &gt; 1." in good._repr_html_()
    assert "$" not in str(good) + _without_data(good._repr_html_())
    assert "✘ fails" in bad._repr_html_()
    board = Scoreboard([good, bad])
    assert not board.all_hold
    assert "1 of 2 claims hold" in str(board)
    assert "1 of 2 claims hold" in board._repr_html_()
    assert "a &amp; b" in board._repr_html_()
    assert "$" not in str(board) + _without_data(board._repr_html_())


def _without_data(page: str) -> str:
    return re.sub(r'data-\w+="[^"]*"', "", page)


@pytest.mark.parametrize("attribute", ["data-claim", "data-claims"])
def test_a_page_finds_in_it_what_it_shows(attribute: str) -> None:
    outcome = dataclasses.replace(_claim(1e-4), relation="moves", theorem="thm-made-up").run()
    shown = outcome if attribute == "data-claim" else Scoreboard([outcome])
    (data,) = re.findall(rf'{attribute}="([^"]*)"', shown._repr_html_())
    record = json.loads(html.unescape(data))
    assert record == (outcome.shown() if shown is outcome else [outcome.shown()])
    assert outcome.shown()["statement"] == "$1 < 2$ & $2 > 1$."
    assert outcome.shown()["theorem"] == "thm-made-up"
    assert outcome.shown()["error"] == number(outcome.comparison.error)


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
        *("id", "source", "quantity", "predicted", "relation", "measured", "room"),
        *("error", "tolerance", "holds?"),
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
