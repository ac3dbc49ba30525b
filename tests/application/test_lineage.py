"""A run is told from its first signal to its last outcome: every event of it, under its cause.

Method: a ledger in one process on a manual clock; what a run is told to hold is compared with a
scan of the whole ledger, which reads no index.
"""

from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import JobLeaseExpired
from ledger.events.reuse import ReuseProposed
from ledger.events.values import format_time
from ledger.jobs.lineage import GONE, Lineage, LineageEntry
from ledger.limits import RUN_EVENTS_MAX
from tests.support.governed import governed
from tests.support.job_worlds import BOB, Working
from tests.support.paid_jobs import allow, begun, paid_jobs
from tests.support.run_stories import BAD, decided, run_of, whole_life
from tests.support.world import ANA, DAY, HOUR, World, policy_text, reason_of, rule


@pytest.fixture
def working(tmp_path: Path) -> Working:
    return decided(tmp_path)


def scanned(working: Working, run_id: str) -> set[int]:
    every = working.world.events()
    return {one.position for one in every if one.body_bytes and one.body.run_id == run_id}


def lineage(working: Working, run_id: str = "", as_of: int | None = None) -> Lineage:
    return working.world.ledger.lineages.lineage(run_id or run_of(working), as_of)


def entry(found: Lineage, type_: str, place: int = 0) -> LineageEntry:
    return [one for one in found.entries if one.event.type.startswith(type_)][place]


def path(found: Lineage, one: LineageEntry) -> list[str]:
    """Return the types from an entry up to the run."""
    by_position = {each.event.position: each for each in found.entries}
    types = [one.event.type.rpartition(".v")[0]]
    while one.parent:
        one = by_position[one.parent]
        types.append(one.event.type.rpartition(".v")[0])
    return types


def test_a_run_holds_every_event_that_names_it_and_what_it_rests_on(working: Working) -> None:
    whole_life(working)
    found = lineage(working)
    own = {one.event.position for one in found.entries if one.is_of_run}
    assert own == scanned(working, found.run_id)
    assert (found.model, found.jobs, found.is_whole) == ("alpha", ("j1",), True)
    positions = [one.event.position for one in found.entries]
    assert positions == sorted(set(positions))
    assert all(one.parent in {0, *positions[:at]} for at, one in enumerate(found.entries))
    others = [one.event for one in found.entries if not one.is_of_run]
    assert [(one.type, one.stream) for one in others] == [
        ("signal.observed.v1", "models/alpha")
    ] * 2


def test_each_event_stands_under_the_one_that_it_follows_from(working: Working) -> None:
    whole_life(working)
    found = lineage(working)
    job = ["job.proposed", "decision.made", "score.computed"]
    assert path(found, entry(found, "signal.observed")) == ["signal.observed"]
    assert path(found, entry(found, "job.approved")) == ["job.approved", *job]
    expired = entry(found, JobLeaseExpired.TYPE)
    assert path(found, expired) == ["job.lease_expired", "job.leased", *job]
    assert expired.text == "The lease of services/worker-1 ran out."
    verdict = entry(found, "gate.judged", 1)
    assert path(found, verdict) == ["gate.judged", "gate.reported", "job.leased", *job]
    leased = entry(found, "job.leased", 1)
    assert leased.text.startswith("Attempt 2: services/worker-2 took it until ")
    environment = entry(found, "job.environment_recorded")
    assert path(found, environment) == ["job.environment_recorded", "job.leased", *job]
    assert environment.text == (
        "The step of data integrity ran in CPython 3.11.7 on Linux; commit 5a5a5a5a5a5a, files "
        "abababababab; 3 packages cdcdcdcdcdcd; spring 5d5d5d5d5d5d of 40000 rows; schema 3; "
        "features 12; architecture gbdt-200."
    )
    in_service = entry(found, "model.deployed")
    assert path(found, in_service)[:3] == ["model.deployed", "gate.judged", "gate.reported"]
    observed = entry(found, "gate.judged", -1)
    assert path(found, observed)[:4] == [
        "gate.judged", "gate.reported", "job.deployed", "job.leased",
    ]  # fmt: skip
    assert observed.text.startswith("The gate observation is not passed: holds is not met")
    again = entry(found, "model.deployed", 1)
    assert again.text.startswith("v1, which served before, serves since ")
    assert again.parent == entry(found, "job.leased", 2).event.position
    back = entry(found, "job.rolled_back")
    assert path(found, back)[1] == "job.leased"
    assert back.parent == entry(found, "job.leased", 2).event.position
    closed = entry(found, "job.closed")
    assert path(found, closed) == ["job.closed", *job]
    assert closed.text == (
        "The job ended, rolled back, at 1.00 EUR of 5.00 EUR expected, 4.00 EUR below the forecast,"
        " within its interval: The gate observation was not passed. v1 serves again."
    )


def test_a_run_is_told_as_of_any_position(working: Working) -> None:
    whole_life(working)
    every = lineage(working)
    for as_of in range(every.entries[2].event.position, working.world.head + 1):
        found = lineage(working, every.run_id, as_of)
        expected = [one for one in every.entries if one.event.position <= as_of]
        assert list(found.entries) == expected


def test_a_job_without_a_decision_has_a_run_of_its_own(working: Working) -> None:
    working.propose("j2", "beta")
    working.world.ledger.jobs.deny(BOB, "j2", "too dear")
    job = working.job("j2")
    assert job.run_id not in {None, run_of(working)}
    found = lineage(working, job.run_id or "")
    assert [one.text for one in found.entries] == [
        (
            "users/ana proposed job j2 by monthly version 1 under main version 1, forecast at "
            "5.00 EUR (0.00 to 10.00), 50.0% likely to stay, by the recipe alone: it got worse."
        ),
        "users/bob denied it: too dear.",
        (
            "The job ended, denied, at 0.00 EUR of 5.00 EUR expected: users/bob denied it, "
            "because: too dear."
        ),
    ]


def test_a_plan_that_admitted_the_job_stands_above_it(working: Working) -> None:
    world = working.world
    world.clock.advance(14 * DAY)
    world.see("beta", 1.2, world.clock.now_micros() - 8 * DAY)
    plan = world.plan(5_000_000)
    [admitted] = [one for one in plan.backlog if one.outcome == "admitted"]
    job = working.propose("j3", admitted.model, plan=plan.plan)
    found = lineage(working, job.run_id or "")
    proposed = entry(found, "job.proposed")
    above = entry(found, "plan.made")
    assert proposed.parent == above.event.position
    assert above.text.startswith(f"Plan {plan.plan}, admitted: an expected benefit")


def test_a_version_that_is_to_serve_again_is_told_within_the_run(working: Working) -> None:
    world, digest = working.world, "ab" * 32
    proposed = ReuseProposed.from_data(
        {
            "model": "alpha", "as_of": 3, "made_at": format_time(world.clock.now_micros()),
            "policy": "main", "policy_version": 1, "policy_digest": digest,
            "inputs_digest": digest, "now_period": 7, "in_service": "v1", "put_back": "v0",
            "compared": [
                {"model_version": "v0", "n": "1", "den": "1", "adv": "1", "advantage_ppm": None}
            ],
            "reason": "It lost less.",
        }
    )  # fmt: skip
    world.forge("reuse/alpha", proposed)
    assert "reuse.proposed.v1" not in [one.event.type for one in lineage(working).entries]
    working.propose()
    told = entry(lineage(working), "reuse.proposed")
    assert (told.text, told.parent, told.is_of_run) == (
        "v0 is to serve again: It lost less.",
        0,
        False,
    )


def test_an_override_and_answers_of_people_are_of_the_run(working: Working) -> None:
    world = working.world
    world.override("alpha", "INVESTIGATE", DAY)
    world.clock.advance(2 * HOUR)
    world.settle()
    found = lineage(working)
    assert entry(found, "decision.overridden").text.startswith("users/ana set INVESTIGATE until ")
    assert {one.event.position for one in found.entries if one.is_of_run} == scanned(
        working, found.run_id
    )


def test_what_a_decision_asked_of_people_stands_below_it_with_their_answers(
    tmp_path: Path,
) -> None:
    looking = governed(
        policy_text(rules=[rule("look", "priority >= 100000", "INVESTIGATE")]),
        investigate_within="3d",
    )
    world = World(tmp_path / "asking.db", clock="wall").begin("alpha", policy=looking)
    world.see("alpha", BAD, world.clock.now_micros())
    world.settle()
    [decided_] = world.events("decision.made.v2")
    world.ledger.cases.acknowledge(BOB, "alpha", decided_.position, "I look at it.")
    world.ledger.cases.take(BOB, "alpha", decided_.position)
    found = world.ledger.lineages.lineage(decided_.body.run_id or "")
    asked = [entry(found, "escalation.raised"), entry(found, "task.opened")]
    answered = [entry(found, "escalation.acknowledged"), entry(found, "task.taken")]
    assert [one.parent for one in asked] == [decided_.position] * 2
    assert [one.parent for one in answered] == [one.event.position for one in asked]
    assert answered[0].text.startswith("users/bob acknowledged it ")
    assert asked[0].is_of_run
    assert not answered[0].is_of_run, "an answer names no run"
    later = world.ledger.lineages.lineage(found.run_id, answered[1].event.position - 1)
    assert answered[1].event.position not in {one.event.position for one in later.entries}


def test_the_moves_of_its_budget_are_below_a_job(sqlite_url: str) -> None:
    with paid_jobs(sqlite_url) as paid:
        begun(paid)
        allow(paid, "j2", 3)
        begun(paid, "j2", model="beta")
        allow(paid, "j1", 2)
        paid.world.ledger.jobs.cancel(ANA, "j1", "too early")
        found = paid.world.ledger.lineages.lineage(paid.job("j1").run_id or "")
        proposal = entry(found, "job.proposed").event.position
        moves = [one for one in found.entries if one.event.type.startswith("budget.")]
        assert [(one.event.type.removesuffix(".v1"), one.parent) for one in moves] == [
            ("budget.reserved", proposal),
            ("budget.overspend_approved", proposal),
            ("budget.released", proposal),
        ]
        assert [one.text for one in moves] == [
            "5.00 EUR are reserved in budget main, for jobs.",
            "users/ana approved 2.00 EUR more of budget main, for jobs: it is worth it.",
            "The reservation in budget main, for jobs, is free again: cancelled, at no cost.",
        ]
        found = paid.world.ledger.lineages.lineage(paid.job("j2").run_id or "")
        first, *_ = found.entries
        assert (first.event.type, first.parent) == ("budget.overspend_approved.v1", 0)


def test_a_run_that_no_event_names_is_refused(working: Working) -> None:
    for run_id in ("runs/none", "runs/01900000-0000-7000-8000-000000000000"):
        with pytest.raises(LedgerError) as unknown:
            lineage(working, run_id)
        assert reason_of(unknown) is Reason.RUN_UNKNOWN


def test_an_erased_observation_is_not_told_and_an_erased_score_names_no_run(
    working: Working,
) -> None:
    found = lineage(working)
    observed = [one.event.position for one in found.entries if not one.is_of_run]
    scored = entry(found, "score.computed")
    working.world.erase(observed[0])
    told = lineage(working, found.run_id)
    assert [one for one in told.entries if not one.is_of_run] == []
    working.world.erase(scored.event.position)
    told = lineage(working, found.run_id)
    assert scored.event.position not in {one.event.position for one in told.entries}
    assert entry(told, "decision.made").parent == 0
    assert GONE not in [one.text for one in told.entries]


def test_of_a_run_with_too_many_events_the_first_are_told(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_life(working)
    every = lineage(working)
    own: list[RecordedEvent] = [one.event for one in every.entries if one.is_of_run]
    assert len(own) < RUN_EVENTS_MAX
    for most in (len(own), len(own) - 1, 5):
        monkeypatch.setattr("ledger.application.lineage.reader.RUN_EVENTS_MAX", most)
        found = lineage(working)
        assert [one.event for one in found.entries if one.is_of_run] == own[:most]
        assert found.is_whole == (most == len(own))
