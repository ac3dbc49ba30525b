"""No version comes into force for labels of a model that another scope holds by other labels.

Method: a model with two labels, a version in force by one of them, and another one that is forced
into the log for the other, around the service, which refuses it.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.application.fleet.definitions import Definitions
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.policies import ScopePart
from tests.audit.paper import Paper
from tests.audit.test_forged_governance import AUTHOR, PAT, ROOT, findings
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import grant, show
from tests.audit.ungoverned import version_of
from tests.support import staffed
from tests.support.staffed import Governed, governed_text
from tests.support.world import ORIGIN, defined, policy_text

EAST: Final = {"region": "east"}
GOLD: Final = {"tier": "gold"}


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    return {"kind": "labels", "model": None, "labels": labels}


def begun(path: Path) -> Governed:
    """Return a ledger of a version in force for models in the east, and a draft of two others."""
    world = Governed(path, clock="wall").staff()
    world.ledger.definitions.define(staffed.AUTHOR, defined("loss"))
    world.register("alpha", labels=EAST | GOLD)
    world.drafted(governed_text(title="one"), policy="one")
    world.drafted(governed_text(title="two"), policy="two")
    world.drafted(policy_text(), policy="plain")
    world.enforce(ChosenVersion("one", 1), ScopePart(**labelled(EAST)))
    return world


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    path = tmp_path_factory.mktemp("overlapping") / "ledger.db"
    begun(path).close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test; everybody has shown who they are."""
    paper = deepcopy(written)
    for actor in (AUTHOR, PAT, ROOT):
        show(paper, actor)
    return paper


def enforce(paper: Paper, labels: dict[str, str], policy: str = "two") -> int:
    data = version_of(paper, policy) | {"scope": labelled(labels), "rationale": "x"}
    return paper.append(f"policies/{policy}", "policy.activated.v1", data, actor=PAT)


def test_labels_that_cross_those_in_force_in_one_model_are_found(
    paper: Paper, tmp_path: Path
) -> None:
    position = enforce(paper, GOLD)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("policies.overlaps", position)], report.text()


@pytest.mark.parametrize("labels", [EAST, EAST | GOLD, {"region": "west"}, {"tier": "low"}])
def test_labels_that_cross_none_in_a_model_are_in_order(
    paper: Paper, tmp_path: Path, labels: dict[str, str]
) -> None:
    enforce(paper, labels)
    assert findings(audit_of(paper, tmp_path)) == []


def test_a_version_of_the_first_format_may_cross_them(paper: Paper, tmp_path: Path) -> None:
    enforce(paper, GOLD, "plain")
    assert findings(audit_of(paper, tmp_path)) == []


def test_a_model_that_retired_is_in_no_two_scopes(paper: Paper, tmp_path: Path) -> None:
    grant(paper, PAT, "model-owner", by=ROOT)
    paper.append("models/alpha", "model.retired.v1", {"model": "alpha", "reason": "x"}, actor=PAT)
    enforce(paper, GOLD)
    assert findings(audit_of(paper, tmp_path)) == []


def test_a_model_that_gets_its_labels_while_a_service_decides_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = begun(tmp_path / "ledger.db")
    world.update("alpha", labels=EAST)
    labels, check = [EAST | GOLD], Definitions.check_fit

    def checked_a_moment_before(self: Definitions, *asked: Any) -> Any:  # noqa: ANN401
        made = check(self, *asked)
        if labels:
            world.update("alpha", labels=labels.pop())
        return made

    monkeypatch.setattr(Definitions, "check_fit", checked_a_moment_before)
    with pytest.raises(LedgerError) as caught:
        world.enforce(ChosenVersion("two", 1), ScopePart(**labelled(GOLD)))
    assert caught.value.reason is Reason.GOVERNANCE_REFUSED
    assert "Neither scope is within the other" in caught.value.message
    world.close()
