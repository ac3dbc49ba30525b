"""Attacks on what an actor may do: each is refused, and an auditor finds nothing of it on record.

Method: a server as a team runs it; everyone calls by a credential of their own. For a race, the
change that it is lost to is made between the moment that the call was let in and its append.

| attack | what refuses it |
| --- | --- |
| an administrator grants to herself, or to her second account | AUTHORITY_REFUSED |
| she widens a role that her own service holds | AUTHORITY_REFUSED |
| a grant of what one has not, or beyond one's own scope | AUTHORITY_REFUSED |
| `administrator` for a service, in a scope, or for a time | AUTHORITY_REFUSED |
| a token of another person's service that does more than report | AUTHORITY_REFUSED |
| another meaning of a role of the product | AUTHORITY_REFUSED |
| another person behind an account; another's identity for oneself | AUTHORITY_REFUSED |
| one's own proposal approved, also by a second account; by no administrator | both refusals |
| an approval sent again; an approval after a week | AUTHORITY_REFUSED |
| a proposal of one who is no administrator any more | AUTHORITY_REFUSED |
| the other administrator withdrawn, to be alone; the last one | it waits, AUTHORITY_REFUSED |
| a policy replaced beside a definition by a right to one signal | ACTOR_NOT_AUTHORISED |
| a label put on a model, or sent with it, to have it in one's scope | ACTOR_NOT_AUTHORISED |
| a call on behalf of an administrator; observations on behalf of a monitor | ACTOR_NOT_AUTHORISED |
| a grant that has expired, also while its call waits | ACTOR_NOT_AUTHORISED |
| an append as its right is withdrawn, or its model leaves the scope | nothing is recorded |
| a credential used as it is revoked | nothing is recorded |
| the record of a grant erased | BODY_PERMANENT |
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from ledger.v1 import (
    authority_pb2,
    ledger_service_pb2,
    model_service_pb2,
    signal_service_pb2,
)
from ledger.v1 import authority_service_pb2 as pb
from tests.support.audits import audited
from tests.support.authorities import (
    ALLOWED,
    ANA,
    Team,
    bearing,
    naming,
    of_provider,
    team,
    told,
    told_of,
)
from tests.support.served import POLICY, model_named, observation, signal_named
from tests.support.server_process import until

BEN, EVE, MAX, ANA_2 = "users/ben", "users/eve", "users/max", "users/ana-2"
ROBOT = "services/robot"
DENIED, REFUSED = "ACTOR_NOT_AUTHORISED", "AUTHORITY_REFUSED"
SECOND = 1_000_000
WEEK = 7 * 86_400 * SECOND


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Team]:
    """A server; ben and eve are persons of their own, ana-2 and the robot are ana's."""
    with team(tmp_path) as found:
        for actor, person in ((BEN, "staff-2"), (EVE, "staff-3"), (MAX, "staff-4")):
            found.register(actor, person)
        for actor in (ANA_2, ROBOT):
            found.register(actor, "staff-1")
        yield found
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


@pytest.fixture
def two(found: Team) -> Team:
    """The same with ben as the second administrator."""
    found.grant(BEN, "administrator")
    return found


def ask(found: Team, actor: str, method: str, request: Message) -> str:
    """Have an actor call, and return how that was answered."""
    return told(found.bearers, method, request, bearing(found.jwt(actor)))


def define(found: Team, actor: str, name: str = "psi") -> str:
    request = signal_service_pb2.DefineSignalRequest(signal=signal_named(name))
    return ask(found, actor, "DefineSignal", request)


def register_model(found: Team, actor: str, name: str = "fares", region: str = "east") -> str:
    model = model_named(name)
    model.labels["region"] = region
    request = model_service_pb2.RegisterModelRequest(model=model)
    return ask(found, actor, "RegisterModel", request)


def update_model(found: Team, actor: str, name: str, region: str) -> str:
    model = model_named(name)
    model.labels["region"] = region
    request = model_service_pb2.UpdateModelRequest(model=model, etag="1")
    return ask(found, actor, "UpdateModel", request)


def submit(found: Team, actor: str, model: str = "fares") -> str:
    row = observation(model, "psi", model_version="v1")
    request = signal_service_pb2.SubmitSignalsRequest(observations=[row], allow_leap=True)
    return ask(found, actor, "SubmitSignals", request)


# ---- escalation by one ---------------------------------------------------------------------------


def test_an_administrator_cannot_help_herself(found: Team) -> None:
    for actor in (ANA, ANA_2, ROBOT):
        for role in ("policy-approver", "operator", "data-protection-officer"):
            assert told_of(lambda a=actor, r=role: found.grant(a, r)) == REFUSED  # type: ignore[misc]
    assert told_of(lambda: found.grant(ANA_2, "administrator")) == REFUSED
    assert define(found, ANA) == DENIED


def test_an_administrator_cannot_widen_a_role_that_her_own_service_holds(found: Team) -> None:
    found.define_role("looker", "fleet.read")
    found.grant(ROBOT, "looker")
    assert told_of(lambda: found.define_role("looker", "fleet.read", "signals.define")) == REFUSED
    assert define(found, ROBOT) == DENIED
    assert told_of(lambda: found.define_role("looker", "fleet.read", "events.read")) == ALLOWED
    found.define_role("helper", "fleet.read")
    found.grant(EVE, "helper")
    assert told_of(lambda: found.define_role("helper", "signals.define")) == ALLOWED


def test_no_one_grants_what_they_have_not_nor_beyond_their_scope(found: Team) -> None:
    found.define_role("lead", "roles.define", "roles.grant", "signals.submit")
    found.define_role("reporter", "signals.submit")
    found.grant(EVE, "lead", models=["fares"])
    for role, scope in (
        ("reporter", {}),
        ("reporter", {"models": ["fares", "maps"]}),
        ("reporter", {"signals": ["psi"]}),
        ("reporter", {"labels": {"region": "east"}}),
        ("operator", {"models": ["fares"]}),
        ("administrator", {}),
    ):
        grant: Any = {"role": role, "by": EVE, **scope}
        assert told_of(lambda g=grant: found.grant(MAX, **g)) == REFUSED  # type: ignore[misc]
    assert told_of(lambda: found.define_role("reporter", "bodies.erase", by=EVE)) in {
        DENIED,
        REFUSED,
    }
    assert told_of(lambda: found.grant(MAX, "reporter", EVE, models=["fares"])) == ALLOWED
    assert told_of(lambda: found.grant(EVE, "reporter", EVE, models=["fares"])) == REFUSED


def test_administrators_are_people_of_the_whole_ledger(found: Team) -> None:
    found.register("services/boss", "staff-9")
    for grant in (
        lambda: found.grant("services/boss", "administrator"),
        lambda: found.grant(BEN, "administrator", models=["fares"]),
        lambda: found.grant(BEN, "administrator", expires_in=60),
        lambda: found.define_role("administrator", "bodies.erase"),
        lambda: found.define_role("viewer", "bodies.erase"),
    ):
        assert told_of(grant) == REFUSED


def test_accounts_and_identities_stay_whose_they_are(found: Team) -> None:
    other = pb.RegisterActorRequest(actor=ANA_2, person="staff-7")
    assert told_of(lambda: found.change("RegisterActor", other)) == REFUSED
    assert told_of(lambda: found.bind(EVE, of_provider(BEN))) == REFUSED
    issued = pb.IssueTokenRequest(actor="services/unknown", reason="It runs.")
    assert told_of(lambda: found.change("IssueToken", issued)) == REFUSED
    person = pb.IssueTokenRequest(actor=EVE, reason="It runs.")
    assert told_of(lambda: found.change("IssueToken", person)) == "FIELD_INVALID"


# ---- two administrators --------------------------------------------------------------------------


def test_no_one_approves_what_they_proposed_by_whichever_account(two: Team) -> None:
    second = two.grant(ANA_2, "administrator", by=BEN)
    two.approve(second.appended.position, ANA)
    waiting = two.grant(EVE, "operator").appended.position
    for who in (ANA, ANA_2, EVE, ROBOT):
        assert told_of(lambda w=who: two.approve(waiting, w)) in {REFUSED, DENIED}  # type: ignore[misc]
    assert define(two, EVE) == DENIED
    assert told_of(lambda: two.approve(waiting, BEN)) == ALLOWED
    assert told_of(lambda: two.approve(waiting, BEN)) == REFUSED
    assert define(two, EVE) == ALLOWED


def test_a_proposal_is_over_after_a_week_and_when_its_proposer_may_no_more(two: Team) -> None:
    waiting = two.grant(EVE, "operator").appended.position
    two.clock.advance(WEEK + SECOND)
    assert told_of(lambda: two.approve(waiting, BEN)) == REFUSED
    third = two.grant(MAX, "administrator").appended.position
    granted = two.approve(third, BEN).appended.position
    waiting = two.grant(EVE, "operator", by=MAX).appended.position
    gone = two.withdraw(granted)
    assert gone.is_proposed
    two.approve(gone.appended.position, BEN)
    assert told_of(lambda: two.approve(waiting, BEN)) == REFUSED


def test_no_administrator_is_rid_of_the_other_alone_and_the_last_one_stays(found: Team) -> None:
    position = found.grant(BEN, "administrator").appended.position
    waiting = found.withdraw(position)
    assert waiting.is_proposed
    assert told_of(lambda: found.approve(waiting.appended.position, ANA)) == REFUSED
    assert found.grant(EVE, "operator").is_proposed, "there still are two"
    assert told_of(lambda: found.approve(waiting.appended.position, BEN)) == ALLOWED
    first = found.served.service.ledger().authority.state.began_at
    assert told_of(lambda: found.withdraw(first)) == REFUSED


def test_no_administrator_calls_as_another_person_s_service_by_a_token_that_she_issues(
    two: Team,
) -> None:
    two.register("services/deployer", "staff-2")
    two.approve(two.grant("services/deployer", "operator").appended.position, BEN)
    request = pb.IssueTokenRequest(actor="services/deployer", reason="It runs.")
    assert told_of(lambda: two.change("IssueToken", request)) == REFUSED
    assert told_of(lambda: two.change("IssueToken", request, BEN)) == ALLOWED
    two.register("services/watcher", "staff-2")
    two.approve(two.grant("services/watcher", "monitor").appended.position, BEN)
    assert told_of(lambda: two.issue("services/watcher")) == ALLOWED


# ---- beyond one's scope --------------------------------------------------------------------------


def test_a_right_to_a_signal_is_none_to_the_policies_that_its_definition_replaces(
    found: Team,
) -> None:
    found.define_role("definer", "policies.activate", "policies.draft", "signals.define")
    found.grant(EVE, "definer", signals=["psi"])
    replacing = signal_service_pb2.PolicyReplacement(
        name="policies/main", document=POLICY, rationale="Mine."
    )
    request = signal_service_pb2.DefineSignalRequest(
        signal=signal_named("psi"), replacements=[replacing]
    )
    assert ask(found, EVE, "DefineSignal", request) == DENIED
    assert define(found, EVE) == ALLOWED


def test_no_label_that_is_sent_or_put_on_a_model_moves_it_into_a_scope(found: Team) -> None:
    found.grant(BEN, "operator")
    found.grant(EVE, "operator", labels={"region": "east"})
    assert register_model(found, BEN, "maps", "west") == ALLOWED
    assert update_model(found, EVE, "maps", "east") == DENIED
    assert register_model(found, EVE, "maps", "east") == DENIED
    assert register_model(found, EVE, "fares", "east") == ALLOWED
    assert update_model(found, EVE, "fares", "west") == DENIED
    assert register_model(found, EVE, "roads", "west") == DENIED


def test_a_gateway_gains_nothing_by_the_names_that_it_calls_for(found: Team) -> None:
    found.define_role("gateway", "actors.represent", "fleet.read", "signals.submit")
    found.register("services/gateway", "staff-8")
    found.grant("services/gateway", "gateway")
    found.grant(EVE, "monitor")
    how = found.jwt("services/gateway")
    look = model_service_pb2.ListModelsRequest()
    grant = pb.GrantRoleRequest(actor=EVE, role="operator", reason="Work.")
    batch = signal_service_pb2.SubmitSignalsRequest(observations=[observation()])
    for method, request, claimed, said in (
        ("ListModels", look, ANA, ALLOWED),
        ("ListModels", look, EVE, DENIED),
        ("ListModels", look, "users/unknown", DENIED),
        ("GrantRole", grant, ANA, DENIED),
        ("SubmitSignals", batch, EVE, DENIED),
    ):
        claim = bearing(how, *naming(claimed))
        assert told(found.bearers, method, request, claim) == said


def test_the_record_of_a_grant_is_not_erased_even_by_those_who_erase(found: Team) -> None:
    position = found.grant(EVE, "data-protection-officer").appended.position
    request = ledger_service_pb2.EraseBodiesRequest(
        positions=[ledger_service_pb2.PositionRange(first=position, last=position)],
        ground="Mine.",
        authority="Me.",
    )
    assert ask(found, EVE, "EraseBodies", request) == "BODY_PERMANENT"


# ---- in time -------------------------------------------------------------------------------------


def test_a_grant_that_expires_while_its_call_waits_gives_no_answer(found: Team) -> None:
    found.grant(EVE, "viewer", expires_in=60)
    request = ledger_service_pb2.GetLedgerRequest(min_position=found.served.head() + 2)
    said: list[str] = []
    waiting = threading.Thread(
        target=lambda: said.append(ask(found, EVE, "GetLedger", request)), daemon=True
    )
    waiting.start()
    # The first use of a credential is on record, so the call has been let in, and waits.
    until(lambda: found.events()[-1].type == "credential.used.v1", "eve is let in")
    found.clock.advance(61 * SECOND)
    found.register("users/new", "staff-9")
    waiting.join(60)
    assert said == [DENIED]
    assert ask(found, EVE, "GetLedger", ledger_service_pb2.GetLedgerRequest()) == DENIED


def between(found: Team, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something once, after the next call was let in and before it appends."""
    intake: Any = found.served.service.ledger().intake
    submit_as_ever = intake.submit

    def late(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is called
        monkeypatch.undo()
        do()
        return submit_as_ever(*args, **named)

    monkeypatch.setattr(intake, "submit", late)


def observed(found: Team) -> int:
    return sum(event.type == "signal.observed.v1" for event in found.events())


def test_an_append_loses_the_race_against_the_withdrawal_of_its_right(
    found: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.grant(BEN, "operator")
    position = found.grant(EVE, "monitor").appended.position
    assert {define(found, BEN), register_model(found, BEN)} == {ALLOWED}
    assert submit(found, EVE) == ALLOWED
    between(found, monkeypatch, lambda: found.withdraw(position))
    assert submit(found, EVE) == "STORE_UNAVAILABLE"
    assert submit(found, EVE) == DENIED
    assert observed(found) == 1


def test_an_append_loses_the_race_against_the_label_that_takes_its_model_out_of_scope(
    found: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.grant(BEN, "operator")
    found.grant(EVE, "monitor", labels={"region": "east"})
    assert {define(found, BEN), register_model(found, BEN)} == {ALLOWED}
    assert submit(found, EVE) == ALLOWED
    moved: list[str] = []
    between(found, monkeypatch, lambda: moved.append(update_model(found, BEN, "fares", "west")))
    assert (submit(found, EVE), moved) == ("STORE_UNAVAILABLE", [ALLOWED])
    assert submit(found, EVE) == DENIED
    assert observed(found) == 1


def test_a_credential_is_not_used_as_it_is_revoked(
    found: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.grant(ROBOT, "viewer")
    stolen = found.issue(ROBOT)
    authority: Any = found.served.service.ledger().authority
    note_as_ever = authority.note_use

    def late(*args: Any, **named: Any) -> None:  # noqa: ANN401 - as it is called
        monkeypatch.undo()
        found.revoke(stolen.token)
        note_as_ever(*args, **named)

    monkeypatch.setattr(authority, "note_use", late)
    request = ledger_service_pb2.GetLedgerRequest()
    how = bearing(stolen.secret)
    assert told(found.bearers, "GetLedger", request, how) == "CREDENTIAL_REVOKED"
    used = [one.data["subject"] for one in found.events() if one.type == "credential.used.v1"]
    assert stolen.token not in used


def test_an_administrator_s_name_with_no_such_identity_registers_no_one(found: Team) -> None:
    again = authority_pb2.Administrator(actor=EVE, person="staff-3")
    request = pb.NameAdministratorRequest(administrator=again, reason="Mine.")
    head = found.served.head()
    assert ask(found, ANA, "NameAdministrator", request) == DENIED
    assert ask(found, EVE, "NameAdministrator", request) == DENIED
    assert found.served.head() <= head + 1, "but for the first use of eve's credential"
