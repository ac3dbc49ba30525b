"""Corrections: from its position on a correction counts in the place of what it corrects.

Method: one model under a policy, or two; observations are corrected, refused, erased and raced, and
every score and plan is derived again, by replay and by the auditor.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.fleet.observation_details import StatedDetail
from ledger.errors import LedgerError, Reason
from ledger.events.fast import parse_observed
from ledger.events.registry import typed
from ledger.events.signals import SignalObservedV2
from projections.fold import Fold, OnPoison
from projections.signal_rows import signal_rows
from projections.signals import SignalsProjection
from tests.support.audits import audited
from tests.support.correcting import correct
from tests.support.world import DAY, HOUR, MONITOR, START, World, reason_of, request

OTHER = Caller("services/monitor-2")


@pytest.fixture
def ready(world: World) -> World:
    """Two models, the first with an observation, at position `seen`."""
    world.begin("m1", "m2")
    world.see("m1", 1.2, START + HOUR)
    return world


def seen(world: World) -> int:
    return world.events("signal.observed.v1")[0].position


def said(world: World) -> SignalObservedV2:
    return typed(world.events("signal.observed.v2")[-1], SignalObservedV2)


def raw(world: World, model: str = "m1") -> int:
    """Evaluate a model now and return the kernel's priority."""
    world.evaluate(model)
    return world.scores(model)[-1].raw_priority


def check(world: World) -> None:
    """Fail unless everything replays, and the auditor derives the same."""
    world.check_replay()
    report = audited(Path(world.path))
    assert report.findings == (), report.text()


def test_a_correction_counts_from_its_position_on_and_not_before(ready: World) -> None:
    before = raw(ready)
    corrected = correct(ready, seen(ready), 0.4)
    after = raw(ready)
    assert after < before
    assert ready.scores("m1")[-1].signals[0].observations == 1
    histories = ready.ledger.histories
    for as_of, positions in (
        (corrected.last_position - 1, [seen(ready)]),
        (corrected.last_position, [corrected.last_position]),
    ):
        history = histories.history("m1", as_of)
        assert history is not None
        policy = histories.policy_in_force(history.described, as_of)
        assert policy is not None
        service = history.service("rules/2", START + HOUR)
        assert histories.fill(history, service, policy.scoring, START, START + DAY)[1] == positions
    check(ready)


def test_the_evaluator_scores_a_corrected_model_again_as_if_it_began_there(ready: World) -> None:
    ready.settle()
    first = ready.scores("m1")
    ready.see("m2", 0.5, START + 3 * HOUR)
    ready.settle()
    correct(ready, seen(ready), 0.4)
    ready.see("m2", 0.5, START + 6 * HOUR)
    ready.settle()
    again = ready.scores("m1")
    assert len(again) > len(first)
    assert again[-1].raw_priority < first[-1].raw_priority
    check(ready)


def test_a_correction_takes_version_and_time_from_what_it_corrects(ready: World) -> None:
    ready.deploy("m1", "v2", at=START + 2 * HOUR)
    ready.see("m1", 0.7, START + 3 * HOUR)
    correct(ready, seen(ready), "0.9", size=250)
    observed = parse_observed(ready.events("signal.observed.v2")[-1])
    assert (observed.model_version, observed.observed_at) == ("v1", START + HOUR)
    assert (observed.value, observed.sample_size) == (900_000_000, 250)
    assert said(ready).corrects is not None


def test_a_correction_is_corrected_by_naming_the_newest_of_its_chain(ready: World) -> None:
    first = seen(ready)
    second = correct(ready, first, 0.9).last_position
    third = correct(ready, second, 0.4).last_position
    part = said(ready).corrects
    assert part is not None
    assert (part.position, part.first) == (second, first)
    raw(ready)
    assert ready.scores("m1")[-1].signals[0].observations == 1
    for old in (first, second):
        with pytest.raises(LedgerError) as error:
            correct(ready, old, 0.5)
        assert f"correct the observation at position {third}" in error.value.message
    check(ready)


Refused = tuple[str, Callable[[World], object], str]
REFUSED: list[Refused] = [
    (
        "what is not there",
        lambda w: send(w, corrects=10_000),
        "there is no observation at position",
    ),
    ("another event", lambda w: send(w, corrects=1), "there is no observation at position 1"),
    ("another model", lambda w: send(w, "m2"), "is an observation of m1"),
    (
        "another signal",
        lambda w: send(w, signal="drift"),
        "is an observation of loss, not of drift",
    ),
    ("another source", lambda w: send(w, caller=OTHER), "was reported by services/monitor-1"),
    ("another version", lambda w: send(w, version="v2"), "is of version v1, not v2"),
    ("another time", lambda w: send(w, at=START), "leave the time out"),
]


def send(
    world: World,
    model: str = "m1",
    *,
    corrects: int | None = None,
    signal: str = "loss",
    version: str = "",
    at: int = -1,
    caller: Caller = MONITOR,
) -> object:
    row = (model, signal, version, 0.5, at, 1)
    detail = StatedDetail(corrects=seen(world) if corrects is None else corrects)
    return world.ledger.intake.submit(caller, [row], details={0: detail}).result()


@pytest.mark.parametrize(("what", "act", "text"), REFUSED, ids=[one[0] for one in REFUSED])
def test_a_correction_of_anything_else_is_refused_and_says_why(
    ready: World, what: str, act: Callable[[World], object], text: str
) -> None:
    head = ready.head
    with pytest.raises(LedgerError) as error:
        act(ready)
    assert reason_of(error) is Reason.FIELD_INVALID, what
    assert error.value.metadata["field"] == "observations[0].detail.corrects"
    assert text in error.value.message
    assert ready.head == head


def test_an_observation_is_corrected_once_in_a_batch_and_an_erased_one_never(ready: World) -> None:
    rows = [("m1", "loss", "", value, -1, 1) for value in (0.5, 0.6)]
    details = {index: StatedDetail(corrects=seen(ready)) for index in (0, 1)}
    with pytest.raises(LedgerError) as error:
        ready.ledger.intake.submit(MONITOR, rows, details=details)
    assert "observations[0] of the same batch corrects it too" in error.value.message
    ready.erase(seen(ready))
    with pytest.raises(LedgerError) as error:
        send(ready)
    assert "was erased: submit one of its own" in error.value.message


def test_a_repeated_request_gets_its_first_answer_though_it_is_corrected_by_then(
    ready: World,
) -> None:
    caller = request("c1", "x", actor=MONITOR.actor)
    first = correct(ready, seen(ready), 0.5, caller=caller)
    again = correct(ready, seen(ready), 0.5, caller=caller)
    assert again.last_position == first.last_position
    assert len(ready.events("signal.observed.v2")) == 1


def test_of_two_corrections_that_race_one_is_asked_to_come_again(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, target = ready.store.requests, seen(ready)
    submit = requests.submit

    def overtaken(asked: object) -> object:
        monkeypatch.setattr(requests, "submit", submit)
        correct(ready, target, 0.9)
        return submit(asked)  # type: ignore[arg-type]

    monkeypatch.setattr(requests, "submit", overtaken)
    with pytest.raises(LedgerError) as error:
        correct(ready, target, 0.5)
    assert reason_of(error) is Reason.STORE_UNAVAILABLE
    with pytest.raises(LedgerError) as error:
        correct(ready, target, 0.5)
    assert "it was corrected before" in error.value.message


def test_an_observation_of_another_time_does_not_stand_in_the_way_of_a_correction(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = ready.store.requests
    submit = requests.submit

    def overtaken(asked: object) -> object:
        monkeypatch.setattr(requests, "submit", submit)
        ready.see("m1", 0.8, START + 2 * HOUR)
        return submit(asked)  # type: ignore[arg-type]

    monkeypatch.setattr(requests, "submit", overtaken)
    assert correct(ready, seen(ready), 0.5).last_position == ready.head


def test_once_a_correction_is_erased_what_it_corrected_counts_again(ready: World) -> None:
    before = raw(ready)
    corrected = correct(ready, seen(ready), 0.4).last_position
    assert raw(ready) < before
    ready.erase(corrected)
    assert raw(ready) == before
    again = correct(ready, seen(ready), 0.5).last_position
    assert raw(ready) < before
    ready.erase(seen(ready))  # what was corrected may go: its correction stays
    assert ready.scores("m1")[-1].signals[0].observations == 1
    raw(ready)
    assert ready.scores("m1")[-1].signals[0].observations == 1
    assert again < ready.head
    outcomes = {one.outcome for one in ready.replay()}
    assert outcomes <= {"IDENTICAL", "NOT_REPLAYABLE"}
    report = audited(Path(ready.path))
    assert report.findings == (), report.text()


def test_a_plan_counts_what_was_corrected_once(ready: World) -> None:
    for day in range(1, 9):
        ready.see("m1", 1.2, START + day * DAY)
        ready.see("m2", 0.5, START + day * DAY)
    first = ready.plan(5_000_000)
    for event in ready.events("signal.observed.v1"):
        if event.stream == "models/m1":
            correct(ready, event.position, 0.4)
    second = ready.plan(5_000_000)
    gains = [{row.model: int(row.gain) for row in plan.backlog} for plan in (first, second)]
    assert gains[0]["m1"] > 0 >= gains[1]["m1"]
    check(ready)


def test_an_observation_says_what_it_is_derived_from_and_where_its_report_lies(
    ready: World,
) -> None:
    row = ("m1", "loss", "", 0.5, START + 2 * HOUR, 10)
    detail = StatedDetail(
        raw="0.49999",
        indicators={"accuracy": 0.93, "share": "0.12345678912"},
        estimated=True,
        report_uri="s3://reports/m1.html",
        report_sha256="5a" * 32,
    )
    taken = ready.ledger.intake.submit(MONITOR, [row], details={0: detail}).result()
    recorded = said(ready)
    assert (recorded.raw, recorded.estimated) == ("0.49999", True)
    assert recorded.indicators == {"accuracy": "0.93", "share": "0.123456789"}
    assert recorded.report is not None
    assert recorded.report.uri == "s3://reports/m1.html"
    assert recorded.corrects is None
    assert taken.rounded == 1
    raw(ready)
    assert ready.scores("m1")[-1].signals[0].observations == 2
    check(ready)


@pytest.mark.parametrize(
    ("detail", "field", "text"),
    [
        (StatedDetail(raw="much"), "raw", "not a decimal"),
        (StatedDetail(indicators={"a": "NaN"}), "indicators.a", "finite"),
        (StatedDetail(indicators={"A b": "1"}), "indicators", "is not a name"),
        (
            StatedDetail(indicators={f"i{n}": n for n in range(17)}),
            "indicators",
            "at most 16 fit",
        ),
        (StatedDetail(report_uri="s3://x"), "report.sha256", "64 digits"),
        (StatedDetail(report_sha256="5a" * 32), "report.uri", "must be a URI"),
        (
            StatedDetail(report_uri="https://u:p@x/y", report_sha256="5a" * 32),
            "report.uri",
            "names a user or password",
        ),
    ],
)
def test_a_detail_that_cannot_be_recorded_is_named(
    ready: World, detail: StatedDetail, field: str, text: str
) -> None:
    good = ("m1", "loss", "", 0.5, START + 2 * HOUR, 10)
    head = ready.head
    with pytest.raises(LedgerError) as error:
        ready.ledger.intake.submit(MONITOR, [good, good], details={1: detail})
    assert error.value.violations[0].field == f"observations[1].detail.{field}"
    assert text in error.value.violations[0].description
    assert ready.head == head


def test_what_says_no_more_than_its_value_goes_the_old_way_byte_for_byte(ready: World) -> None:
    row = ("m1", "loss", "", 0.5, START + 2 * HOUR, 10)
    plain = ready.observe(row).last_position
    detail = {1: StatedDetail(estimated=True)}
    mixed = ready.ledger.intake.submit(MONITOR, [row, row], details=detail).result().appended
    events = {event.position: event for event in ready.events()}
    assert events[mixed.first_position].type == "signal.observed.v1"
    assert events[mixed.first_position].body_bytes == events[plain].body_bytes
    assert events[mixed.last_position].type == "signal.observed.v2"


def test_a_repeat_that_says_more_is_told_apart_too(ready: World) -> None:
    row = ("m1", "loss", "", 0.5, START + 2 * HOUR, 10)
    for name, left_out in (("a", 0), ("b", 1)):
        taken = ready.ledger.intake.submit(
            request(name, actor=MONITOR.actor),
            [row],
            details={0: StatedDetail(raw="1")},
            leave_out_duplicates=True,
        ).result()
        assert taken.appended.duplicates.left_out == left_out


def shown(world: World) -> list[tuple[str, int, str | None]]:
    """Return latest value, count and previous value of each signal, folded from all events."""
    fold = Fold(SignalsProjection(), on_poison=OnPoison.STOP)
    fold.apply(world.events())
    fold.publish()
    return [
        (
            row["latest"]["value"] if row["latest"] else "",
            row["count"],
            row["previous"]["value"] if row["previous"] else None,
        )
        for row in signal_rows(fold.rows.snapshot(), "m1")
    ]


def test_the_state_of_a_signal_shows_the_correction_and_counts_it_once(ready: World) -> None:
    ready.see("m1", 0.8, START + 2 * HOUR)
    assert shown(ready) == [("0.8", 2, "1.2")]
    correct(ready, seen(ready), 0.9)
    assert shown(ready) == [("0.8", 2, "0.9")]
    newest = ready.events("signal.observed.v1")[-1].position
    correct(ready, newest, 0.7)
    assert shown(ready) == [("0.7", 2, "0.9")]
    ready.erase(newest)
    assert shown(ready) == [("0.7", 2, "0.9")]
