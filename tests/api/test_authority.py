"""On a ledger with an administrator every call needs a grant, and every change its reasons.

Method: a served ledger that begins with an administrator; callers are believed to be whom they
name, so that each test is about rights alone. What is recorded has to satisfy the auditor.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool

from ledger.api.server import SERVICES
from ledger.authority.table import METHODS
from ledger.events.envelope import RecordedEvent
from ledger.v1 import authority_pb2, ledger_service_pb2, model_service_pb2, signal_service_pb2
from ledger.v1 import authority_service_pb2 as pb
from tests.support.audits import audited
from tests.support.served import (
    ORIGIN,
    TIMEOUT,
    Served,
    model_named,
    observation,
    refused,
    serving,
    signal_named,
)

ANA, BEN, EVE, MONITOR = "users/ana", "users/ben", "users/eve", "services/monitor-7"
DENIED = (grpc.StatusCode.PERMISSION_DENIED, "ACTOR_NOT_AUTHORISED")


def by(actor: str) -> dict[str, Any]:
    """Return how a call is made by an actor."""
    return {"timeout": TIMEOUT, "metadata": (("ledger-actor", actor),)}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve a ledger whose administrator is ana; whatever a test records is audited at the end."""
    with serving(tmp_path, authentication__development=True) as served:
        ana = authority_pb2.Administrator(actor=ANA, person="staff-1")
        served.ledgers.CreateLedger(
            ledger_service_pb2.CreateLedgerRequest(origin=ORIGIN, administrator=ana),
            **by("users/ops"),
        )
        yield served
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def register(served: Served, actor: str, person: str) -> None:
    served.authority.RegisterActor(pb.RegisterActorRequest(actor=actor, person=person), **by(ANA))


def grant(served: Served, actor: str, role: str, who: str = ANA, **scope: Any) -> Any:  # noqa: ANN401
    return served.authority.GrantRole(
        pb.GrantRoleRequest(
            actor=actor, role=role, reason="Work.", scope=authority_pb2.AuthorityScope(**scope)
        ),
        **by(who),
    )


def define(served: Served, who: str) -> Any:  # noqa: ANN401
    request = signal_service_pb2.DefineSignalRequest(signal=signal_named("psi"))
    return served.signals.DefineSignal(request, **by(who))


def events(served: Served) -> list[RecordedEvent]:
    """Return all events, read past the API."""
    ledger = served.service.ledger()
    return ledger.log.events(after=0, until=served.head(), limit=10_000)


def status(found: Any) -> tuple[grpc.StatusCode, str]:  # noqa: ANN401
    return found.code, found.reason


def test_every_method_of_the_contract_asks_for_exactly_one_action() -> None:
    pool = descriptor_pool.Default()
    named = [one.name for service in SERVICES for one in pool.FindServiceByName(service).methods]
    assert len(named) == len(set(named)), "the table has one entry for each name"
    assert set(named) == METHODS.keys() | {"NameAdministrator"}


def test_an_actor_without_a_grant_may_do_nothing_and_nothing_is_recorded(served: Served) -> None:
    register(served, EVE, "staff-2")
    head = served.head()
    for who in (EVE, "users/stranger"):
        assert status(refused(lambda who=who: define(served, who))) == DENIED  # type: ignore[misc]
    assert served.head() == head


def test_a_grant_lets_in_and_its_withdrawal_shuts_out_at_once(served: Served) -> None:
    register(served, EVE, "staff-2")
    made = grant(served, EVE, "operator")
    define(served, EVE)
    served.authority.WithdrawGrant(
        pb.WithdrawGrantRequest(grant=made.appended.position, reason="Gone."), **by(ANA)
    )
    assert status(refused(lambda: define(served, EVE))) == DENIED


def before_creation(served: Served, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:  # noqa: ANN401
    """Have something done between the judgement of the next creation and its append."""
    create = served.service.create_ledger

    def after(*args: Any, **fields: Any) -> Any:  # noqa: ANN401
        monkeypatch.undo()
        act()
        return create(*args, **fields)

    monkeypatch.setattr(served.service, "create_ledger", after)


def test_a_ledger_is_not_created_by_a_right_that_was_withdrawn_on_the_first_ledger_meanwhile(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(served, EVE, "staff-2")
    role = pb.DefineRoleRequest(role="creator", actions=["ledgers.create"], meaning="Begins them.")
    served.authority.DefineRole(role, **by(ANA))
    made = grant(served, EVE, "creator")
    gone = pb.WithdrawGrantRequest(grant=made.appended.position, reason="Gone.")

    def create() -> Any:  # noqa: ANN401
        request = ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/late")
        return served.ledgers.CreateLedger(request, **by(EVE))

    before_creation(served, monkeypatch, lambda: served.authority.WithdrawGrant(gone, **by(ANA)))
    late = refused(create)
    assert status(late) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert status(refused(create)) == DENIED
    assert [one.origin for one in served.service.ledgers()] == [ORIGIN]


def test_a_creation_that_no_ledger_judged_is_not_carried_out_beside_a_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ledger_service_pb2.CreateLedgerRequest(
        origin=ORIGIN, administrator=authority_pb2.Administrator(actor=ANA, person="staff-1")
    )
    second = ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/second")
    with serving(tmp_path, authentication__development=True) as served:
        create: Any = partial(served.ledgers.CreateLedger, **by("users/ops"))
        before_creation(served, monkeypatch, lambda: create(first))
        late = refused(lambda: create(second))
        assert status(late) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert status(refused(lambda: create(second))) == DENIED
        assert [one.origin for one in served.service.ledgers()] == [ORIGIN]
        create(second, **by(ANA))


def test_limits_that_are_set_hold_at_once_for_their_actor_until_others_are(served: Served) -> None:
    for actor in (EVE, BEN):
        register(served, actor, "staff-2")
        grant(served, actor, "auditor")

    def limit(who: str = ANA, actor: str = EVE, **limits: int) -> None:
        request = pb.SetLimitsRequest(actor=actor, reason="Too many.", **limits)  # type: ignore[arg-type]
        served.authority.SetLimits(request, **by(who))

    def watch(who: str) -> None:
        call = served.ledgers.WatchEvents(ledger_service_pb2.WatchEventsRequest(), **by(who))
        next(call)
        call.cancel()

    watch(EVE)
    limit(streams=0, calls_per_second=100)
    assert status(refused(lambda: watch(EVE)))[1] == "LIMIT_REACHED"
    watch(BEN)
    found = served.authority.GetAuthority(pb.GetAuthorityRequest(), **by(ANA)).authority
    (one,) = found.limits
    assert (one.actor, one.streams, one.calls_per_second) == (EVE, 0, 100)
    assert not one.HasField("waits")
    limit(waits=0)
    watch(EVE)
    assert status(refused(lambda: limit(BEN))) == DENIED
    unknown = refused(lambda: limit(actor="users/stranger"))
    assert unknown.reason == "AUTHORITY_REFUSED"
    assert "users/stranger is not registered" in unknown.message
    assert set(refused(lambda: limit(calls_per_second=0)).fields) == {"calls_per_second"}


def test_a_limited_monitor_reports_its_models_and_signals_alone(served: Served) -> None:
    register(served, EVE, "staff-2")
    register(served, MONITOR, "staff-2")
    grant(served, EVE, "operator")
    grant(served, MONITOR, "monitor", models=["fares"], signals=["psi"])
    define(served, EVE)
    for name in ("fares", "maps"):
        request = model_service_pb2.RegisterModelRequest(model=model_named(name))
        served.models.RegisterModel(request, **by(EVE))

    def report(model: str, signal: str) -> Any:  # noqa: ANN401
        one = observation(model, signal=signal, model_version="v1")
        request = signal_service_pb2.SubmitSignalsRequest(observations=[one])
        return served.signals.SubmitSignals(request, **by(MONITOR))

    report("fares", "psi")
    said = {status(refused(lambda m=m, s=s: report(m, s))) for m, s in  # type: ignore[misc]
            (("maps", "psi"), ("fares", "auc"), ("unknown", "psi"), ("maps", "none"))}  # fmt: skip
    assert said == {DENIED}


def test_once_there_are_two_administrators_it_takes_both_to_widen_authority(
    served: Served,
) -> None:
    for actor, person in ((BEN, "staff-2"), (EVE, "staff-3"), ("users/ana-2", "staff-1")):
        register(served, actor, person)
    assert not grant(served, BEN, "administrator").is_proposed
    waiting = grant(served, EVE, "policy-approver")
    assert waiting.is_proposed
    proposal = pb.ApproveChangeRequest(proposal=waiting.appended.position)
    for who in (ANA, "users/ana-2", EVE):
        found = refused(lambda who=who: served.authority.ApproveChange(proposal, **by(who)))  # type: ignore[misc]
        assert found.reason in {"AUTHORITY_REFUSED", "ACTOR_NOT_AUTHORISED"}
    served.authority.ApproveChange(proposal, **by(BEN))
    question = pb.ExplainAuthorityRequest(actor=EVE, action="policies.activate")
    assert served.authority.ExplainAuthority(question, **by(ANA)).is_allowed
    again = refused(lambda: served.authority.ApproveChange(proposal, **by(BEN)))
    assert again.reason == "AUTHORITY_REFUSED"


def test_no_one_grants_to_themself_nor_what_they_have_not(served: Served) -> None:
    register(served, EVE, "staff-2")
    register(served, BEN, "staff-3")
    own = refused(lambda: grant(served, ANA, "policy-approver"))
    assert "no one grants to themself" in own.message
    served.authority.DefineRole(
        pb.DefineRoleRequest(
            role="lead", actions=["roles.grant", "fleet.read"], meaning="Lets people look."
        ),
        **by(ANA),
    )
    grant(served, EVE, "lead", models=["fares"])
    served.authority.DefineRole(
        pb.DefineRoleRequest(role="reader", actions=["fleet.read"], meaning="Looks."), **by(ANA)
    )
    grant(served, BEN, "reader", EVE, models=["fares"])
    for role, scope in (
        ("reader", {}),
        ("reader", {"models": ["maps"]}),
        ("viewer", {"models": ["fares"]}),
    ):
        beyond = refused(lambda r=role, s=scope: grant(served, BEN, r, EVE, **s))  # type: ignore[misc]
        assert beyond.reason == "AUTHORITY_REFUSED"


def bearing(secret: str, claimed: str = "") -> dict[str, Any]:
    """Return how a call is made with a token, and with a claim."""
    claim = (("ledger-actor", claimed),) if claimed else ()
    return {"timeout": TIMEOUT, "metadata": (("authorization", f"Bearer {secret}"), *claim)}


def issue(served: Served, actor: str, **fields: Any) -> Any:  # noqa: ANN401
    request = pb.IssueTokenRequest(actor=actor, reason="It runs.", **fields)
    return served.authority.IssueToken(request, **by(ANA))


def look(served: Served, how: dict[str, Any]) -> Any:  # noqa: ANN401
    return served.models.ListModels(model_service_pb2.ListModelsRequest(), **how)


def test_a_token_lets_its_service_in_until_it_is_revoked_and_its_use_is_on_record(
    served: Served,
) -> None:
    register(served, MONITOR, "staff-1")
    grant(served, MONITOR, "viewer")
    token = issue(served, MONITOR)
    look(served, bearing(token.secret))
    look(served, bearing(token.secret))
    used = [one for one in events(served) if one.type == "credential.used.v1"]
    assert [one.data["subject"] for one in used if one.data["actor"] == MONITOR] == [token.token]
    shown = served.authority.GetAuthority(pb.GetAuthorityRequest(), **by(ANA)).authority
    assert [one.HasField("last_used_at") for one in shown.tokens] == [True]
    served.authority.RevokeToken(
        pb.RevokeTokenRequest(token=token.token, reason="Lost."), **by(ANA)
    )
    found = refused(lambda: look(served, bearing(token.secret)))
    assert status(found) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_REVOKED")
    wrong = f"dlt_{token.token}_{'A' * 43}"
    said = [refused(lambda t=t: look(served, bearing(t))) for t in  # type: ignore[misc]
            (wrong, f"dlt_{'0' * 16}_{'A' * 43}")]  # fmt: skip
    assert {(one.reason, one.message) for one in said} == {
        ("CREDENTIAL_INVALID", said[0].message)
    }, "an unknown name and a wrong secret are told alike"


def test_a_secret_is_shown_once_and_is_in_no_event(served: Served) -> None:
    register(served, MONITOR, "staff-1")
    token = issue(served, MONITOR, request_id="once")
    again = issue(served, MONITOR, request_id="once")
    assert (again.token, again.secret) == (token.token, "")
    assert not any(token.secret[21:].encode() in (one.body_bytes or b"") for one in events(served))


def test_a_gateway_calls_on_behalf_of_those_who_may_and_that_is_recorded_as_claimed(
    served: Served,
) -> None:
    register(served, MONITOR, "staff-1")
    register(served, EVE, "staff-2")
    actions = ["actors.represent", "authority.read", "fleet.read", "signals.define"]
    served.authority.DefineRole(
        pb.DefineRoleRequest(role="gateway", actions=actions, meaning="Calls for people."),
        **by(ANA),
    )
    register(served, BEN, "staff-3")
    grant(served, BEN, "administrator")
    token = issue(served, MONITOR)
    assert status(refused(lambda: look(served, bearing(token.secret, EVE)))) == DENIED
    waiting = grant(served, MONITOR, "gateway")
    served.authority.ApproveChange(
        pb.ApproveChangeRequest(proposal=waiting.appended.position), **by(BEN)
    )
    look(served, bearing(token.secret))
    assert status(refused(lambda: look(served, bearing(token.secret, EVE)))) == DENIED
    waiting = grant(served, EVE, "policy-author")
    served.authority.ApproveChange(
        pb.ApproveChangeRequest(proposal=waiting.appended.position), **by(BEN)
    )
    request = signal_service_pb2.DefineSignalRequest(signal=signal_named("psi"), request_id="r1")
    made = served.signals.DefineSignal(request, **bearing(token.secret, EVE))
    [defined] = [one for one in events(served) if one.position == made.appended.position]
    assert defined.body.actor == MONITOR
    [claimed] = [one.data for one in events(served) if one.type == "call.represented.v1"]
    assert (claimed["on_behalf_of"], claimed["request_id"]) == (EVE, "r1")


def test_a_question_as_of_a_position_goes_by_the_labels_that_the_model_had_there(
    served: Served,
) -> None:
    register(served, EVE, "staff-2")
    register(served, MONITOR, "staff-2")
    grant(served, EVE, "operator")
    grant(served, MONITOR, "monitor", labels={"region": "east"})
    model = model_named("fares")
    request = model_service_pb2.RegisterModelRequest(model=model)
    before = served.models.RegisterModel(request, **by(EVE)).appended.position
    read = model_service_pb2.GetModelRequest(name="models/fares")
    etag = served.models.GetModel(read, **by(EVE)).model.etag
    model.labels["region"] = "west"
    served.models.UpdateModel(
        model_service_pb2.UpdateModelRequest(model=model, etag=etag), **by(EVE)
    )

    def may(position: int) -> bool:
        question = pb.ExplainAuthorityRequest(
            actor=MONITOR, action="signals.submit", model="fares", as_of_position=position
        )
        return served.authority.ExplainAuthority(question, **by(ANA)).is_allowed

    assert [may(before - 1), may(before), may(0)] == [False, True, False]


def test_a_watch_ends_when_its_grant_is_withdrawn(served: Served) -> None:
    register(served, EVE, "staff-2")
    made = grant(served, EVE, "auditor")
    watch = served.ledgers.WatchEvents(ledger_service_pb2.WatchEventsRequest(), **by(EVE))
    assert next(watch).events[0].position == 1
    served.authority.WithdrawGrant(
        pb.WithdrawGrantRequest(grant=made.appended.position, reason="Gone."), **by(ANA)
    )
    assert status(refused(lambda: watch)) == DENIED


def test_what_came_before_the_first_administrator_is_said_to_be_believed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.create()
        define(served, "users/stranger")
        shown = served.authority.GetAuthority(pb.GetAuthorityRequest(), **by(ANA))
        assert shown.authority.began_at_position == 0
    said = "were believed, not authenticated: no administrator was named before."
    assert said in audited(tmp_path / "ledger.sqlite").text()
