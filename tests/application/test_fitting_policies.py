"""A version of format policy/2 fits ledger and scope when it is drafted, submitted and in force.

Method: a ledger with three sources of one signal, of which two fall silent; versions drafted as by
a service that did not look; more observations than are looked at.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.fleet import sources
from ledger.application.fleet.definitions import Definitions
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.policies import ScopePart
from tests.governance.test_approvals import check_audit
from tests.support.audits import audited
from tests.support.explained import explained_text
from tests.support.staffed import APPROVER, AUTHOR, PAT, SAM, Governed, governed, governed_text
from tests.support.world import DAY, HOUR, START, policy_text, signal_rule

SOURCES = ("a", "b", "c")


def agreeing(title: str = "Test", signal: str = "loss") -> str:
    """Return a version that takes three sources to agree, and approvals of what follows it."""
    document = json.loads(governed_text((APPROVER, 1), title=title))
    rule = signal_rule(sources_needed=3) | {"signal": signal}
    document["scoring"]["signals"], document["decision"]["rules"] = [rule], []
    return explained_text(json.dumps(document))


def refused(step: Callable[[], object], reason: Reason = Reason.POLICY_INVALID) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        step()
    assert caught.value.reason is reason, caught.value
    assert caught.value.remedy
    return caught.value


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "l.sqlite", (APPROVER, 1), clock="data")
    made.register("m1")
    made.deploy("m1", "v1")
    yield made
    made.close()


def report(world: Governed, at: int, *names: str) -> None:
    for name in names:
        world.see("m1", 0.4, at, caller=Caller(f"services/{name}"))


def test_sources_that_fell_silent_are_missed_at_the_draft_and_again_at_each_step(
    world: Governed,
) -> None:
    fault = refused(lambda: world.drafted(agreeing()))
    assert "needs 3 sources and loss has 0 sources in its window" in fault.message
    report(world, START, *SOURCES)
    first, second = world.drafted(agreeing()), world.drafted(agreeing("Second"))
    world.submit(first)
    world.approve(first, PAT)
    report(world, START + 29 * DAY, "a")
    for step in (
        lambda: world.submit(second),
        lambda: world.enforce(first, by=SAM),
        lambda: world.drafted(agreeing("Third")),
    ):
        fault = refused(step)
        assert "needs 3 sources and loss has 1 source in its window" in fault.message
    assert fault.metadata["path"] == "scoring.signals[0].sources_needed"
    report(world, START + 29 * DAY + HOUR, "b", "c")
    world.submit(second)
    world.enforce(first, by=SAM)
    check_audit(world, "authority.rights")


def test_a_version_is_put_back_whatever_the_ledger_has_now(world: Governed) -> None:
    report(world, START, *SOURCES)
    first, second = world.drafted(agreeing()), world.drafted(governed_text((APPROVER, 1)))
    for version in (first, second):
        world.submit(version)
        world.approve(version, PAT)
        world.enforce(version, by=SAM)
    report(world, START + 29 * DAY, "a")
    world.roll_back(first)
    check_audit(world, "authority.rights")


def test_a_signal_that_is_not_defined_is_missed_wherever_the_version_is_from(
    world: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(world, START, "a")
    text = agreeing(signal="los").replace('"sources_needed": 3', '"sources_needed": 0')
    assert "knows no signal 'los'" in refused(lambda: world.drafted(text)).message
    old = world.drafted_unseen(text)
    fault = refused(lambda: world.submit(old))
    assert "version 2 of main does not fit the ledger as it is now" in fault.message.lower()
    assert "Did you mean 'loss'?" in (fault.remedy or "")
    monkeypatch.setattr(Definitions, "check_fit", lambda *_: [])
    unseen = [world.head, world.submit(old).last_position]
    world.approve(old, PAT)
    unseen.append(world.enforce(old, by=SAM).last_position)
    check_audit(world, "authority.rights", "policies.grounds")
    found = audited(Path(world.path)).findings
    assert [one.position for one in found if one.rule == "policies.grounds"] == unseen


def test_under_policy_1_what_the_ledger_lacks_is_advice_and_stops_a_strict_draft_alone(
    world: Governed,
) -> None:
    text = policy_text(signals=[signal_rule() | {"signal": "los"}], rules=[])
    commands = world.ledger.commands
    made = commands.draft_policy(AUTHOR, "old", text, "because")
    assert "SIGNAL_UNKNOWN" in {one.code for one in made.lint.problems}
    fault = refused(lambda: commands.draft_policy(AUTHOR, "old", text, "because", strict=True))
    assert fault.metadata["line"] == "1"
    clean = json.loads(policy_text())
    clean["rationale"] = "x"
    commands.draft_policy(AUTHOR, "old", json.dumps(clean), "because")


def test_where_not_all_observations_are_looked_at_missing_sources_are_advice(
    world: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(world, START, "b")
    for turn in range(6):
        report(world, START + turn * HOUR, "a")
    monkeypatch.setattr(sources, "OBSERVATIONS_FIRST", 2)
    assert "loss has 2 sources in its window" in refused(lambda: world.drafted(agreeing())).message
    monkeypatch.setattr(sources, "OBSERVATIONS_LOOKED_AT_MAX", 6)
    lint_result = world.ledger.definitions.lint(agreeing())
    (problem,) = (one for one in lint_result.problems if one.code == "SOURCES_NOT_FOUND")
    assert (problem.severity, lint_result.document is None) == ("warning", False)
    assert "loss has 1 source among the newest observations" in problem.message


def labelled(**labels: str) -> ScopePart:
    return ScopePart(kind="labels", model=None, labels=labels)


def test_a_scope_that_shares_a_model_with_one_that_it_is_not_within_is_refused_at_each_step(
    world: Governed,
) -> None:
    east, high = labelled(region="east"), labelled(tier="high")
    world.register("m2", labels={"region": "east", "tier": "high"})
    report(world, START, "a")

    def enforced(version: ChosenVersion, scope: ScopePart) -> None:
        world.submit(version, scope)
        world.approve(version, PAT)
        world.enforce(version, scope, by=SAM)

    version = world.drafted(governed_text((APPROVER, 1), title="East"))
    enforced(version, east)
    began = world.head
    other = world.drafted(governed_text((APPROVER, 1), title="High"))
    commands = world.ledger.commands
    steps: list[Callable[[], object]] = [
        lambda: world.submit(other, high),
        lambda: world.enforce(other, high, by=SAM),
        lambda: commands.activate_in_emergency(SAM, "main", 3, "", high, "it burns"),
    ]
    for step in steps:
        fault = refused(step, Reason.GOVERNANCE_REFUSED)
        assert "m2 is one of them and of the models with region=east" in fault.message
        assert f"main version 2 is in force since position {began}" in fault.message
        assert "Neither scope is within the other" in fault.message
        assert "--label" in (fault.remedy or "")
    enforced(other, labelled(region="east", tier="high"))  # within: the stated rule ranks it
    enforced(other, ScopePart(kind="model", model="m2", labels={}))
    enforced(other, east)  # it is in force there already
    check_audit(world, "authority.rights")


def test_scopes_overlap_only_by_models_that_are_there_and_never_under_policy_1(
    world: Governed,
) -> None:
    east, high = labelled(region="east"), labelled(tier="high")
    world.register("m2", labels={"region": "east", "tier": "low"})
    report(world, START, "a")
    versions = [world.drafted(governed_text((APPROVER, 1), title=one)) for one in ("A", "B")]
    plain = world.drafted(policy_text(), "plain")
    for version, scope in ((versions[0], east), (versions[1], high)):
        world.submit(version, scope)
        world.approve(version, PAT)
        world.enforce(version, scope, by=SAM)
    world.update("m2", labels={"region": "east", "tier": "high", "team": "x"})
    team = labelled(team="x")
    world.submit(plain, team)
    world.approve(plain, PAT)
    world.enforce(plain, team, by=SAM)
    check_audit(world, "authority.rights")
