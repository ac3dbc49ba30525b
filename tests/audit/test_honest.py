"""Ledgers that the service itself wrote pass, whatever happened in them; so no rule cries wolf.

Method: the ledgers of other suites (the golden one, a served fleet, drawn lives) and one in which
everything happened, on a wall clock too, are audited whole.
"""

import sqlite3
from pathlib import Path

from ledger.application.commands import Caller
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.client import LedgerClient
from tests.audit.conftest import lived
from tests.support.audits import audited
from tests.support.hooks import auditors_connection
from tests.support.live_fleet import ORIGIN, Observed, prepare
from tests.support.served import serving
from tests.support.stepped import SteppedWorld
from tests.support.world import ANA, DAY, HOUR, START, World, request
from tools import golden


def counted(report: Report) -> dict[str, int]:
    return {one.rule: one.checked for one in report.rules}


def test_a_ledger_in_which_everything_happened_passes(lived_database: Path) -> None:
    report = audited(lived_database)
    assert report.passed, report.text()
    assert report.gaps == ()
    applied = counted(report)
    assert (applied["replay.score"], applied["replay.decision"], applied["replay.plan"]) == (
        21,
        8,
        2,
    )


def test_an_audit_leaves_nothing_beside_a_database_that_is_not_served(
    lived_database: Path,
) -> None:
    before = {path.name: path.read_bytes() for path in lived_database.parent.iterdir()}
    assert audited(lived_database).passed
    assert {path.name: path.read_bytes() for path in lived_database.parent.iterdir()} == before


def test_a_server_that_begins_during_an_audit_does_not_disturb_it(tmp_path: Path) -> None:
    lived(tmp_path / "ledger.db").close()
    source = DatabaseSource(str(tmp_path / "ledger.db"))
    world = World(tmp_path / "ledger.db")
    world.see("alpha", 0.7, START + 25 * DAY)
    report = Audit(source, "test").run()
    assert report.passed, report.text()
    assert auditors_connection(source).query("SELECT max(position) FROM events") == [(73,)]
    source.close()
    world.close()


def test_the_audit_replays_what_the_service_replays(tmp_path: Path) -> None:
    world = lived(tmp_path / "ledger.db")
    count = world.check_replay()
    world.close()
    applied = counted(audited(tmp_path / "ledger.db"))
    rules = ("replay.score", "replay.decision", "replay.plan")
    assert sum(applied[rule] for rule in rules) == count


def test_a_ledger_on_the_machines_clock_passes(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", clock="wall")
    world.begin("alpha", "beta")
    for step in range(12):
        world.clock.advance(HOUR)
        now = world.clock.now_micros()
        world.see("alpha", 0.4 + step * 0.1, now + 200_000_000)  # ahead, within the skew
        world.see("alpha", 0.6, now - DAY, version="v1")
        world.settle()
    world.clock.advance(8 * DAY)  # silence
    world.settle()
    world.evaluate("alpha", "beta")
    world.evaluate("alpha", at=START + 5 * HOUR)
    world.plan(1_000_000)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert counted(report)["replay.score"] > 10


def test_sealed_rotated_revoked_and_erased_passes(tmp_path: Path) -> None:
    world = lived(tmp_path / "ledger.db")
    ledger, ana = world.ledger, Caller("users/ana")
    ledger.attestation.seals.seal(ana)
    ledger.attestation.checkpoints.sign()
    rotated = ledger.attestation.keys.rotate(ana, 0)
    world.see("beta", 0.5, START + 24 * DAY)
    world.settle()
    ledger.attestation.checkpoints.sign()
    first = next(
        key.span.vkey
        for key in ledger.attestation.keys.keys().records
        if key.span.vkey != rotated.key.span.vkey
    )
    ledger.attestation.keys.revoke(ana, first, world.head + 1, "its machine was sold")
    ledger.erasure.erase_bodies(ana, [(17, 18)], "GDPR Art. 17(1)(a)", "DPO")
    ledger.attestation.seals.seal(ana)
    ledger.attestation.checkpoints.sign()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    applied = counted(report)
    assert (applied["seals"], applied["erasures"], applied["checkpoints"]) == (2, 1, 3)
    assert report.erased == 2
    assert len(report.vkeys) == 2


def test_a_batch_stays_one_request_when_bodies_in_its_middle_were_erased(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    rows = [("alpha", "loss", "", 0.5, START + hour * HOUR, 1) for hour in range(5)]
    first = world.observe(*rows, caller=request("b1", "x")).first_position
    world.erase(first + 1, first + 3)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_a_model_whose_retirement_was_erased_is_in_no_plan(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    for model in ("alpha", "beta"):
        world.see(model, 0.9, START + HOUR)
    world.erase(world.ledger.commands.retire_model(ANA, "beta", "gone").first_position)
    assert [row.model for row in world.plan(1_000_000).backlog] == ["alpha"]
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_keys_that_change_before_anything_was_signed_are_trusted(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    attestation = world.ledger.attestation
    for _ in range(2):
        attestation.keys.rotate(ANA, 0)
    last = attestation.keys.keys().records[-1].span.vkey
    attestation.keys.revoke(ANA, last, world.head + 1, "its machine was sold")
    attestation.checkpoints.sign()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert len(report.vkeys) == 4


def test_the_newest_time_counts_on_when_its_observation_was_erased(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 0.5, START + HOUR)
    world.erase(world.see("alpha", 0.5, START + 3 * HOUR).first_position)
    world.plan(1_000_000)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_an_override_lasts_by_a_clock_that_is_behind_the_record(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path / "ledger.db", 1, clock="wall", accounts__seconds=600.0)
    world.begin("alpha")
    world.see("alpha", 0.5, START)
    for hours in (30, -30):  # believed at a start, and right again at the next
        world.close()
        world.clock.step(hours * HOUR)
        world.start()
        world.settle()
    world.override("alpha", "INVESTIGATE", 9 * HOUR)
    world.pass_time(2 * HOUR)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_what_was_asked_for_is_of_an_observation_that_was_erased_since(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha")
    seen = world.see("alpha", 0.5, START).first_position
    world.clock.advance(5 * HOUR)
    world.update("alpha")
    world.clock.advance(HOUR)
    world.evaluate("alpha")
    world.erase(seen)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_no_score_is_owed_to_a_model_whose_description_was_erased(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    described = world.update("beta").first_position
    for day in range(1, 8):
        for model in ("alpha", "beta"):
            world.see(model, 0.9, START + day * DAY)
        world.settle()
        if day == 3:
            world.erase(described)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def written(made: golden.GoldenLedger, path: Path) -> Path:
    """Write the golden ledger to a database that an audit reads."""
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE ledgers (ledger_id, origin, clock, skew_seconds, vkey);"
            "CREATE TABLE checkpoints (ledger_id, size, note);"
            "CREATE TABLE events (ledger_id, position, stream, stream_version, type, recorded_at,"
            " observed_at, body, salt, body_hash, prev_hash, event_hash)"
        )
        origin, vkey = golden.ORIGIN, made.events[0].data["vkey"]
        database.execute("INSERT INTO ledgers VALUES (1, ?, 'wall', 300, ?)", (origin, vkey))
        database.executemany(
            "INSERT INTO events VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [tuple(event) for event in made.events],
        )
    database.close()
    return path


def test_the_golden_ledger_passes_but_for_what_it_only_says(tmp_path: Path) -> None:
    made = golden.build()
    path = written(made, tmp_path / "golden.db")
    report = audited(path)
    # It says that a body was erased which it still holds, so that every type has an instance.
    erasure = next(event.position for event in made.events if event.type == "body.erased.v1")
    # So do the further configurations, and the decision by `rules/2`: it is of a model that
    # retired, under a version that never came into force, on the score of another; it calls itself
    # historical, and no observation is newer.
    found = {(one.rule, one.position) for one in report.findings}
    last = next(event.position for event in made.events if event.type == "decision.made.v2")
    rules = ("models.registered", "policies.in_force", "citations")
    shapes = {(rule, last) for rule in (*rules, "horizons.unbroken", "horizons.present")}
    configured = {
        (rule, event.position)
        for event in made.events[2:]
        if event.type.startswith("ledger.configured")
        for rule in ("ledger.configured", "keys")
    }
    # The override is older than the call that cites what an override follows from.
    overridden = next(one.position for one in made.events if one.type == "decision.overridden.v1")
    shapes.add(("overrides.follow", overridden))
    # And a clock is confirmed, although the ledger takes its time from its data by then: it dates
    # that configuration and what follows too.
    clock = next(one.position for one in made.events if one.type == "clock.stepped.v1")
    since = max(position for _, position in configured)
    shapes |= {("times.derived", one.position) for one in made.events[since - 1 :]}
    # With one administrator, what is proposed takes no second one.
    proposed = next(one.position for one in made.events if one.type == "authority.proposed.v1")
    shapes.add(("authority.changes", proposed))
    # And the monitor calls on behalf of another with no right to.
    claimed = next(one.position for one in made.events if one.type == "call.represented.v1")
    shapes.add(("authority.claims", claimed))
    # The administrator never showed a credential: the one that is on record is the monitor's.
    named = next(one.position for one in made.events if one.type == "administrator.named.v1")
    shapes |= {
        ("authority.shown", one.position)
        for one in made.events[named:]
        if one.body.actor == "users/ada"
    }
    # All that was added since shows shapes alone: its hashes, forms and order hold.
    limited = next(one.position for one in made.events if one.type == "limits.set.v1")
    later = {rule for rule, position in found if (position or 0) > limited}
    assert {rule.partition(".")[0] for rule in later} == {
        "authority", "benchmarks", "budgets", "cases", "deployments", "gates", "horizons", "jobs",
        "models", "overrides", "plans", "policies", "recipes", "replay", "reuse", "reviews",
        "roll_backs", "shadows", "times",
    }  # fmt: skip
    found = {(rule, position) for rule, position in found if (position or 0) <= limited}
    shapes = {(rule, position) for rule, position in shapes if position <= limited}
    assert found - configured == {("erasures", erasure), ("clocks", clock)} | shapes
    applied = counted(report)
    assert applied["seals"] == applied["exports"] == 1
    assert applied["audits"] == applied["refusals"] == 2
    assert applied["replay.score"] == 1
    assert applied["replay.decision"] == applied["replay.plan"] == 2


def test_a_served_fleet_passes_while_it_is_served(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as served,
        LedgerClient(served.server.address, ledger=ORIGIN, actor="users/ana") as client,
    ):
        prepare(client)
        observed = Observed()
        for _ in range(20):
            client.submit(observed.rows(25))
        client.evaluate(["m0", "m1"])
        client.make_plan(3_000_000)
        client.get_checkpoint()
        source = DatabaseSource(str(tmp_path / "ledger.sqlite"), ORIGIN)
        report = Audit(source, "test").run()
        source.close()
    assert report.passed, report.text()
    assert counted(report)["replay.score"] >= 2
