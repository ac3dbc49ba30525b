"""A score that was due is missed, though every score that is there is true.

Method: as a key holder would, take a model's scores and decisions out of an honest chain in which
the evaluator went on to score others, and write every hash, position and signature again.
"""

from copy import deepcopy
from pathlib import Path

import pytest

from tests.audit.left_out import account
from tests.audit.paper import Paper
from tests.audit.test_absence import erase
from tests.audit.test_forgeries import audit_of
from tests.support.world import HOUR, ORIGIN, START, World, rule

RULE = "scores.due"
RETIRED = {"model": "beta", "reason": "replaced"}
MODELS = ("alpha", "beta", "gamma")


@pytest.fixture(scope="module", params=["data", "wall"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger whose evaluator scored two models every hour, and a silent one at times."""
    path = tmp_path_factory.mktemp("scored") / "ledger.db"
    world = World(path, clock=request.param)
    world.begin(*MODELS, rules=[rule("bad", "priority >= 300000")], silence="12h")
    world.see("gamma", 0.4, START + 1)
    for hour in range(1, 40):
        world.clock.advance(HOUR)
        world.see("alpha", 0.4 + hour / 100, START + hour * HOUR)
        world.see("beta", 0.5, START + hour * HOUR + 1)
        world.settle()
    world.close()
    return Paper.copied(path, ORIGIN)


def scored(paper: Paper, model: str) -> list[int]:
    return [
        at
        for at, event in enumerate(paper.events, 1)
        if event.stream == f"models/{model}" and event.type.startswith(("score.", "decision."))
    ]


def missed(paper: Paper, folder: Path) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in audit_of(paper, folder).findings]


def unscored(paper: Paper, folder: Path) -> list[str]:
    """Return what the report says of models that may lack a score."""
    return [one for one in audit_of(paper, folder).remarks if "a score was due" in one]


def evaluated(paper: Paper) -> None:
    """Append a service's account, by which no span is without one."""
    account(paper, evaluated_through=len(paper.events))


def test_the_ledger_itself_holds(written: Paper, tmp_path: Path) -> None:
    assert missed(written, tmp_path) == []
    assert unscored(written, tmp_path) == []
    assert len(scored(written, "gamma")) > 3


@pytest.mark.parametrize("model", MODELS)
def test_all_scores_and_decisions_of_one_model_cannot_be_left_out(
    written: Paper, tmp_path: Path, model: str
) -> None:
    paper = deepcopy(written)
    paper.remove(*scored(paper, model))
    found = missed(paper, tmp_path)
    assert [rule for rule, _ in found] == [RULE]
    assert f"model {model} was due" in audit_of(paper, tmp_path).text()


@pytest.mark.parametrize("model", MODELS)
def test_a_models_newest_scores_cannot_be_left_out_while_others_are_scored(
    written: Paper, tmp_path: Path, model: str
) -> None:
    paper = deepcopy(written)
    places = scored(paper, model)
    paper.remove(*places[len(places) // 2 :])
    assert [rule for rule, _ in missed(paper, tmp_path)] == [RULE]


def test_the_score_of_a_silence_cannot_be_left_out(written: Paper, tmp_path: Path) -> None:
    paper = deepcopy(written)
    silent = paper.find("score.computed.v1", model="gamma", trigger="schedule")[-2:]
    decided = [at + 1 for at in silent if paper.at(at + 1).type.startswith("decision.")]
    paper.remove(*silent, *decided)
    assert [rule for rule, _ in missed(paper, tmp_path)] == [RULE]


def test_a_debt_that_a_retirement_ends_is_said_to_be_without_a_score(
    written: Paper, tmp_path: Path
) -> None:
    paper = deepcopy(written)
    paper.append("models/beta", "model.retired.v1", RETIRED)
    evaluated(paper)
    assert missed(paper, tmp_path) == []
    assert unscored(paper, tmp_path) == []
    paper = deepcopy(written)
    first = paper.find("score.computed.v1", model="beta")[-2]
    paper.remove(*(at for at in scored(paper, "beta") if at >= first))
    paper.append("models/beta", "model.retired.v1", RETIRED)
    evaluated(paper)
    assert missed(paper, tmp_path) == []
    (said,) = unscored(paper, tmp_path)
    assert "model beta: a score was due from the first on until it was retired" in said


@pytest.mark.parametrize("is_policy", [True, False])
def test_models_that_an_erasure_keeps_from_being_judged_are_named_with_their_span(
    written: Paper, tmp_path: Path, *, is_policy: bool
) -> None:
    paper = deepcopy(written)
    type_ = "policy.activated.v1" if is_policy else "score.computed.v1"
    gone = paper.find(type_)[-1]
    model = paper.at(gone).stream.removeprefix("models/")
    end = erase(paper, gone)
    assert missed(paper, tmp_path) == []
    said = [one for one in unscored(paper, tmp_path) if "cannot be judged" in one]
    assert len(said) >= 1
    for name in MODELS if is_policy else (model,):
        assert any(f" to {end}, " in one and name in one for one in said)
