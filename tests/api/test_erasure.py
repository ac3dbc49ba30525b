"""Erasure on a live server: goal: after the call returned, the text is nowhere.

Method: one unusual text is put into everything that takes text, by calls over gRPC, on a server
that scores, projects and exports. All events that hold it are erased in one call; then every byte
of every file in the server's folder is searched, and every answer that the server gives.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.client import LedgerClient, Model, Signal
from ledger.client.enums import ExportState, ReplayOutcome
from ledger.client.errors import LedgerRefusedError
from ledger.client.proofs import Export
from ledger.errors import Reason
from ledger.v1 import ledger_service_pb2
from tests.support.asking import ASKING
from tests.support.live_fleet import START, STEP
from tests.support.served import OFFICER, OPERATORS, TIMEOUT, Served, refused, serving
from tests.support.server_process import until

SECRET = "zebra-7731-night-shift"
WHO = (*OPERATORS, f"users/{SECRET}")
GROUND, AUTHORITY = "GDPR Art. 17(1)(a)", "the data protection officer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything that the server keeps, and nothing else."""
    made = tmp_path / "served"
    made.mkdir()
    return made


@pytest.fixture
def live(folder: Path) -> Iterator[Served]:
    """A server that evaluates and projects."""
    with serving(folder, service__evaluate=True, operators__actors=WHO) as served:
        served.create()
        yield served


def client(served: Served, actor: str) -> LedgerClient:
    """Return a client of a server."""
    return LedgerClient(served.server.address, actor=actor, deadline_seconds=TIMEOUT)


def files_holding(folder: Path, text: str) -> list[str]:
    """Return the files below a folder that hold a text, as UTF-8, UTF-16 or base64 would."""
    spellings = [text.encode(), text.encode("utf-16-le"), text.upper().encode()]
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(each in path.read_bytes() for each in spellings)
    ]


def tell(served: Served) -> None:
    """Put the text into everything that takes text, and let it be scored, planned and exported."""
    numbers = itertools.count(1)

    def told() -> dict[str, Any]:
        return {"request_id": f"{SECRET}.{next(numbers)}"}

    with client(served, f"users/{SECRET}") as ann:
        ann.define_signal(
            Signal("log-loss", "PERFORMANCE", SECRET, "HIGHER_IS_WORSE", SECRET, SECRET), **told()
        )
        for name in ("fares", "hotels"):
            ann.register_model(described(name), **told())
            deploy(ann, name, "v1", **told())
        text = ASKING.replace("Loss alone decides.", SECRET).replace("It is bad.", SECRET)
        text = text.replace("route: mail", f"route: {SECRET}")
        drafted = ann.draft_policy("main", text, rationale=SECRET, **told())
        ann.activate_policy("main", drafted.version.version, rationale=SECRET, **told())
    with client(served, f"services/{SECRET}") as monitor:
        for hour in range(6):
            rows = [(m, "log-loss", 0.9, START + hour * STEP, "", 100) for m in ("fares", "hotels")]
            monitor.submit(rows, **told())
    with client(served, f"users/{SECRET}") as ann:
        ann.evaluate(["fares", "hotels"], **told())
        [escalation] = ann.list_escalations("fares").escalations
        [task] = ann.list_tasks("fares").tasks
        ann.acknowledge_escalation(escalation.name, note=SECRET, **told())
        ann.take_task(task.name, **told())
        ann.resolve_escalation(escalation.name, SECRET, **told())
        ann.close_task(task.name, "false_alarm", note=SECRET, **told())
        # After the answers: what it decides may end an escalation while it is answered.
        ann.override_decision("fares", "INVESTIGATE", reason=SECRET, expires_after=60, **told())
        ann.make_plan(budget_micros=5_000_000, budget_cap_micros=5_000_000, plan=f"p-{7}", **told())
        update(ann, "fares", **told())
        ann.retire_model("hotels", SECRET, **told())
    settle(served)


def exported(served: Served, whose: LedgerClient, **options: Any) -> Export:  # noqa: ANN401
    """Have everything exported, and wait until that was recorded."""
    export = whose.create_export(**options)
    until(lambda: whose.get_export(export.name).state is ExportState.READY, "it was written")
    return whose.get_export(export.name)


def described(name: str) -> Model:
    """Return a description with the text in every field that takes it."""
    return Model(
        model=name,
        owner=SECRET,
        tier=SECRET,
        labels={"region": SECRET},
        unit_value_micros=1,
        cost_micros=1_000_000,
        impact_ppm=500_000,
        meaning=SECRET,
        recipe=SECRET,
        schema_version=SECRET,
        features_version=SECRET,
        architecture=SECRET,
    )


def deploy(ann: LedgerClient, name: str, version: str, **options: Any) -> None:  # noqa: ANN401
    """Put a version into service."""
    ann.record_deployment(
        name,
        version,
        in_service_at=START,
        trained_through=START,
        baseline_loss="0.4",
        **options,
    )


def update(ann: LedgerClient, name: str, **options: Any) -> None:  # noqa: ANN401
    """Describe a model again."""
    ann.update_model(replace(described(name), etag=ann.get_model(name).etag), **options)


def settle(served: Served) -> None:
    """Wait until evaluator and projections have nothing more to do."""
    follower, host, head = served.service.follower(), served.service.projections(), 0
    while served.head() != head:
        head, turns = served.head(), follower.turns

        def are_folded(position: int = head) -> bool:
            host.hurry()
            return all(host.is_settled(name, position) for name in host.names)

        until(are_folded, "the projections have folded", seconds=TIMEOUT)

        def has_turned(after: int = turns + 2) -> bool:  # one may be under way, so the next
            follower.hurry()
            return follower.turns >= after

        until(has_turned, "the evaluator has looked", seconds=TIMEOUT)


def positions_holding(served: Served, text: str) -> list[tuple[int, int]]:
    """Return where bodies hold a text, as ranges."""
    ranges: list[tuple[int, int]] = []
    for event in served.service.ledger().log.events(limit=100_000):
        if text.encode() in (event.body_bytes or b""):
            if ranges and ranges[-1][1] == event.position - 1:
                ranges[-1] = ranges[-1][0], event.position
            else:
                ranges.append((event.position, event.position))
    return ranges


def everything_answered(ledger: LedgerClient) -> str:
    """Return all that the server says to a caller that asks for everything."""
    said: list[object] = [
        *ledger.list_models(include_retired=True),
        *ledger.list_signals(),
        *ledger.list_policies(),
        *ledger.list_plans(),
        *ledger.list_plan_schedules(),
        *ledger.list_decisions(),
        *ledger.list_events(),
        *ledger.list_exports(),
        ledger.list_signal_states(),
        ledger.list_escalations(),
        ledger.list_tasks(),
        ledger.list_escalations(as_of_position=ledger.get_ledger().head_position // 2),
        ledger.list_priorities(),
        ledger.list_priorities(as_of_position=ledger.get_ledger().head_position // 2),
        ledger.list_priorities(since_position=10),
        *ledger.replay_range(verbose=True),
    ]
    return repr(said)


def test_after_the_call_the_text_is_in_no_file_and_in_no_answer(live: Served, folder: Path) -> None:
    tell(live)
    with client(live, f"users/{SECRET}") as ann:
        exported(live, ann, purpose=SECRET, request_id=SECRET)
    with client(live, OFFICER) as officer:
        export = exported(live, officer)
        holding = files_holding(folder, SECRET)
        assert any(name.endswith("events.jsonl") for name in holding), holding
        assert any("projections" in name for name in holding), holding
        assert SECRET in everything_answered(officer)
        ranges = positions_holding(live, SECRET)
        types = {
            event.type
            for event in live.service.ledger().log.events(limit=100_000)
            if SECRET.encode() in (event.body_bytes or b"")
        }
        erased = officer.erase_bodies(ranges, ground=GROUND, authority=AUTHORITY)

        assert files_holding(folder, SECRET) == [], "at once, with the server running"
        assert erased.erased == sum(last - first + 1 for first, last in ranges)
        assert types >= {
            "export.issued.v1",
            "decision.made.v2",
            "decision.overridden.v2",
            "escalation.acknowledged.v1",
            "escalation.raised.v1",
            "escalation.resolved.v1",
            "model.deployed.v1",
            "model.registered.v1",
            "model.retired.v1",
            "model.updated.v1",
            "plan.made.v1",
            "policy.activated.v1",
            "policy.drafted.v3",
            "score.computed.v1",
            "signal.defined.v1",
            "signal.observed.v1",
            "task.closed.v1",
            "task.opened.v1",
            "task.taken.v1",
        }
        settle(live)
        assert SECRET not in everything_answered(officer)
        assert [one.name for one in officer.list_exports()] == [export.name]
        assert officer.get_export(export.name).state is ExportState.FAILED
        carry_on(live, officer)
        assert SECRET not in everything_answered(officer)
        assert files_holding(folder, SECRET) == []


def carry_on(served: Served, officer: LedgerClient) -> None:
    """Use the ledger as ever: what is recorded again counts, and replays."""
    head = served.head()
    officer.define_signal(Signal("log-loss", "PERFORMANCE", "nats", "HIGHER_IS_WORSE", "Loss."))
    officer.register_model(
        Model(model="rooms", owner="stays", unit_value_micros=1, cost_micros=1_000_000)
    )
    deploy(officer, "rooms", "v1")
    drafted = officer.draft_policy("main", ASKING, rationale="again")
    assert drafted.version.version == 2
    officer.activate_policy("main", 2, rationale="again")
    officer.submit([("rooms", "log-loss", 0.9, START + 20 * STEP, "", 100)])
    settle(served)
    assert officer.evaluate(["rooms"]).evaluated
    settle(served)
    assert [row.model for row in officer.list_priorities().priorities if row.priority_ppm]
    reports = list(officer.replay_range(first_position=head + 1))
    assert reports[-1].progress.divergent == reports[-1].progress.not_replayable == 0
    assert reports[-1].progress.identical


def test_the_text_stays_away_when_the_server_stops_and_starts(folder: Path) -> None:
    with serving(folder, service__evaluate=True, operators__actors=WHO) as served:
        served.create()
        tell(served)
        with client(served, OFFICER) as officer:
            ranges = positions_holding(served, SECRET)
            officer.erase_bodies(ranges, ground=GROUND, authority=AUTHORITY)
    assert files_holding(folder, SECRET) == []
    with serving(folder, service__evaluate=True) as served, client(served, OFFICER) as officer:
        settle(served)
        assert SECRET not in everything_answered(officer)
    assert files_holding(folder, SECRET) == []


def test_reads_go_on_while_bodies_are_erased(live: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(live)
    host = live.service.projections()
    seen: list[int] = []
    purge = type(host).purge

    def looked_at(self: Any, position: int) -> None:  # noqa: ANN401
        with client(live, "users/reader") as reader:
            seen.append(len(reader.list_priorities().priorities))
        purge(self, position)

    monkeypatch.setattr(type(host), "purge", looked_at)
    with client(live, OFFICER) as officer:
        officer.erase_bodies([(3, 3)], ground=GROUND, authority=AUTHORITY)
        watch = officer.watch_priorities()
        assert next(watch).position >= live.head()
    assert seen == [1]


def test_single_things_that_were_erased_are_refused_by_name(live: Served) -> None:
    tell(live)
    with client(live, OFFICER) as officer:
        decisions = list(officer.list_decisions())
        officer.erase_bodies(positions_holding(live, SECRET), ground=GROUND, authority=AUTHORITY)
        asked: list[Callable[[], object]] = [
            lambda: officer.get_model("fares"),
            lambda: officer.get_policy("main"),
            lambda: officer.get_plan("p-7"),
            lambda: officer.get_decision(decisions[0].name),
            lambda: officer.explain_decision(decisions[0].name),
        ]
        for ask in asked:
            with pytest.raises(LedgerRefusedError) as caught:
                ask()
            assert caught.value.reason is Reason.BODY_ERASED
            assert caught.value.metadata["erased_by"] == str(live.head())
        position = decisions[0].position
        result = officer.replay(position)
        assert result.outcome is ReplayOutcome.NOT_REPLAYABLE
        assert result.why == (
            f"erased: the body at position {position} was erased by the event at position "
            f"{live.head()}"
        )


def test_a_caller_that_is_not_authorised_is_refused_with_permission_denied(served: Served) -> None:
    request = ledger_service_pb2.EraseBodiesRequest(
        positions=[ledger_service_pb2.PositionRange(first=3, last=3)],
        ground=GROUND,
        authority=AUTHORITY,
    )
    refusal = refused(lambda: served.ledgers.EraseBodies(request, timeout=TIMEOUT))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "ACTOR_NOT_AUTHORISED",
    )
    assert "erasure.actors" in refusal.message


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, {"positions", "ground", "authority"}),
        (
            {"positions": [ledger_service_pb2.PositionRange(first=-1)], "ground": "x" * 2001},
            {"positions[0].first", "positions[0].last", "ground", "authority"},
        ),
        (
            {"positions": [ledger_service_pb2.PositionRange(first=1, last=1)] * 10_001},
            {"positions", "ground", "authority"},
        ),
    ],
    ids=["empty", "bad", "many"],
)
def test_every_bad_field_is_named(served: Served, fields: Any, named: set[str]) -> None:  # noqa: ANN401
    request = ledger_service_pb2.EraseBodiesRequest(**fields)
    metadata = (("ledger-actor", OFFICER),)
    refusal = refused(
        lambda: served.ledgers.EraseBodies(request, timeout=TIMEOUT, metadata=metadata)
    )
    assert refusal.reason == "FIELD_INVALID"
    assert set(refusal.fields) == named


def test_no_actor_may_erase_unless_the_operator_says_so(folder: Path) -> None:
    with serving(folder, erasure__actors=()) as served:
        served.prepare()
        with client(served, OFFICER) as officer, pytest.raises(LedgerRefusedError) as caught:
            officer.erase_bodies([(3, 3)], ground=GROUND, authority=AUTHORITY)
        assert caught.value.reason is Reason.ACTOR_NOT_AUTHORISED
