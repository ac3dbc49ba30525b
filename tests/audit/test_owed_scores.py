"""A score that was due is missed, though every score that is there is true.

Method: as a key holder would, take a model's scores and decisions out of an honest chain in which
the evaluator went on to score others, and write every hash, position and signature again.
"""

from copy import deepcopy
from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.world import HOUR, ORIGIN, START, World, rule

RULE = "scores.due"
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


def test_the_ledger_itself_holds(written: Paper, tmp_path: Path) -> None:
    assert missed(written, tmp_path) == []
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
