"""The times of a wall ledger are held to those of witnesses, and what they prove is said exactly.

Method: one honest ledger on paper, told to run by the machine's clock, its checkpoints cosigned at
times of the test's choice.
"""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.audit.report import Report
from ledger.chain.cosignature import CosigningKey, utc
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import WitnessPolicy, parse_policy
from ledger.chain.witness_times import TimeBounds
from ledger.cli.exits import Exit
from ledger.cli.main import app
from ledger.events.values import SECOND, format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import foreign
from tests.support.audits import audited
from tests.support.chained import Signer
from tests.support.world import DAY, ORIGIN, START, World

HOUR = 3_600
SKEW = 300
WITNESSES = [CosigningKey(f"w{number}.example", bytes([number]) * 32) for number in (1, 2, 3)]
RULE = "times.witnessed"


@pytest.fixture
def wall(paper: Paper) -> Paper:
    """The ledger as it is, but for the clock that it names; only its times are looked at here."""
    paper.at(2).data["clock"] = "wall"
    assert paper.at(2).data["skew_seconds"] == SKEW
    return paper


def policy_of(paper: Paper, quorum: str = "group g 2 w0 w1 w2\nquorum g") -> WitnessPolicy:
    lines = [f"log {paper.key.verifier_key}"]
    lines += [f"witness w{at} {key.cosigner_key}" for at, key in enumerate(WITNESSES)]
    return parse_policy("\n".join([*lines, quorum]).encode())


def cosign(paper: Paper, size: int, *seconds: int) -> None:
    """Have the first witnesses cosign the checkpoint of a size, each at its time."""
    paper.checkpoint_sizes = [*paper.checkpoint_sizes, size]
    leaves = [row[11] for row in paper.rows()]
    text = parse_note(paper.note(size, leaves).encode()).text
    for witness, at in zip(WITNESSES, seconds, strict=False):
        line = witness.cosign(text, at)
        paper.cosignatures.append((size, line.name, line.key_id, line.line()))


def recorded(paper: Paper, position: int) -> int:
    """Return the second at which an event says that it was recorded."""
    return paper.at(position).recorded_at // SECOND


def audit_of(paper: Paper, folder: Path, **options: Any) -> Report:  # noqa: ANN401 - as `Audit`
    stated = {"policy": policy_of(paper)} | options
    return audited(paper.write(folder / "paper.db"), **stated)


def seen(report: Report) -> list[int]:
    return [one.position for one in report.findings if one.rule == RULE]


def compared(report: Report) -> int:
    return sum(one.checked for one in report.rules if one.rule == RULE)


@pytest.mark.parametrize(("early", "holds"), [(-HOUR, True), (SKEW, True), (SKEW + 2, False)])
def test_an_event_that_was_recorded_after_witnesses_had_seen_it_is_found_beyond_the_skew(
    wall: Paper, tmp_path: Path, early: int, *, holds: bool
) -> None:
    size = len(wall.events)
    at = recorded(wall, size) - early
    cosign(wall, size, at, at)
    report = audit_of(wall, tmp_path)
    assert seen(report) == ([] if holds else [size])
    assert compared(report) == 1
    said = (
        f"Events up to {size} existed at {utc(at)} (cosigned by w0 at {utc(at)}, w1 at {utc(at)})."
    )
    assert said in report.text()
    assert "tolerated is up to 5m after a witness's time" in report.text()


@pytest.mark.parametrize("drift", [-SKEW, -1, 0, 7, HOUR])
def test_an_honest_life_by_the_machines_clock_passes_beside_witnesses_whose_clocks_differ(
    tmp_path: Path, drift: int
) -> None:
    """Method: every head was cosigned at once, by clocks that are off by `drift` and a bit more."""
    world = World(tmp_path / "wall.db", clock="wall").begin("alpha")
    world.see("alpha", 0.4, START)
    world.settle()
    for _ in range(3):
        world.clock.advance(8 * DAY + 123_456)
        world.settle()
        world.override("alpha", "INVESTIGATE", 2 * DAY)
    world.close()
    lived = Paper.copied(tmp_path / "wall.db", ORIGIN)
    for size in range(2, len(lived.events) + 1):
        at = recorded(lived, size) + drift
        cosign(lived, size, at, at + 3)
    report = audit_of(lived, tmp_path)
    assert report.passed, report.text()
    assert compared(report) == len(lived.events) - 1
    assert f"Events up to {len(lived.events)} existed at" in report.text()


def test_a_ledger_dated_a_month_ahead_is_found_at_each_checkpoint_that_was_seen_before(
    wall: Paper, tmp_path: Path
) -> None:
    size = len(wall.events)
    ahead = wall.events[-1].recorded_at + 30 * 24 * HOUR * SECOND
    positions = [foreign(wall, at=ahead) for _ in range(2)]
    for position in (size, *positions):
        cosign(wall, position, *[recorded(wall, size) + 5] * 2)
    report = audit_of(wall, tmp_path)
    assert seen(report) == positions
    (finding, _) = [one for one in report.findings if one.rule == RULE]
    assert "recorded 29d23h59m55s after witnesses had seen it" in finding.what


def test_a_skew_of_nothing_tolerates_what_clocks_are_set_by(wall: Paper, tmp_path: Path) -> None:
    size = len(wall.events)
    wall.at(2).data["skew_seconds"] = 0
    cosign(wall, size, *[recorded(wall, size) - 5] * 2)
    assert seen(audit_of(wall, tmp_path)) == []


def test_one_witness_whose_clock_is_behind_dates_no_ledger_alone(
    wall: Paper, tmp_path: Path
) -> None:
    size = len(wall.events)
    at = recorded(wall, size)
    cosign(wall, size, at - 24 * HOUR, at + 2)
    report = audit_of(wall, tmp_path)
    assert seen(report) == []
    assert f"existed at {utc(at + 2)}" in report.text()
    alone = audit_of(wall, tmp_path, policy=policy_of(wall, "quorum w0"))
    assert seen(alone) == [size]  # by a reader who trusts it alone


def test_only_witnesses_of_the_policy_and_times_within_its_bounds_count(
    wall: Paper, tmp_path: Path
) -> None:
    size = len(wall.events)
    at = recorded(wall, size)
    cosign(wall, size, at - HOUR, at - HOUR)
    without = f"log {wall.key.verifier_key}\nquorum none"
    stranger = audit_of(wall, tmp_path, policy=parse_policy(without.encode()))
    assert (seen(stranger), compared(stranger), stranger.time_bounds) == ([], 0, ())
    bounded = policy_of(wall).within(TimeBounds(at + 10 * HOUR, max_age=HOUR))
    report = audit_of(wall, tmp_path, policy=bounded)
    assert compared(report) == 0
    assert any("more than 1h before" in str(one) for one in report.findings)


def test_a_false_line_in_a_witnesss_name_is_found_under_any_checkpoint(
    wall: Paper, tmp_path: Path
) -> None:
    size = len(wall.events)
    cosign(wall, size, *[recorded(wall, size)] * 2)
    false = Signer(WITNESSES[2].name, bytes([3]) * 32, 4).line(b"another text\n").rstrip("\n")
    wall.checkpoint_sizes = [*wall.checkpoint_sizes, 30]
    key_id = WITNESSES[2].cosigner_key.key_id
    wall.cosignatures.append((30, WITNESSES[2].name, key_id, false))
    report = audit_of(wall, tmp_path)
    assert [(one.position, one.what) for one in report.findings if one.rule == "witnesses"] == [
        (30, "the cosignature of w3.example is not genuine")
    ]


def test_a_clock_that_an_operator_put_on_record_as_ahead_is_no_forgery(
    wall: Paper, tmp_path: Path
) -> None:
    true = recorded(wall, len(wall.events)) + 60
    head = (true + 24 * HOUR) * SECOND
    ahead = foreign(wall, at=head)
    cosign(wall, ahead, true, true)
    assert seen(audit_of(wall, tmp_path)) == [ahead]
    data = {
        "clock_at": format_time(true * SECOND + SECOND), "expected_at": None,
        "head_at": format_time(head), "reason": "it was set a day ahead",
    }  # fmt: skip
    stepped = wall.append("ledger", "clock.stepped.v1", data)
    later = foreign(wall)
    cosign(wall, later, true + 9, true + 9)
    assert (stepped, later) == (ahead + 1, ahead + 2)
    assert seen(audit_of(wall, tmp_path)) == []
    beyond = foreign(wall, at=head + SECOND * HOUR)
    cosign(wall, beyond, true + 20, true + 20)
    assert seen(audit_of(wall, tmp_path)) == [beyond]


def test_a_step_of_the_clock_excuses_only_what_is_dated_beyond_the_confirmed_time(
    wall: Paper, tmp_path: Path
) -> None:
    true, day = recorded(wall, len(wall.events)) + 60, 24 * HOUR
    ahead = foreign(wall, at=(true + day) * SECOND)
    cosign(wall, ahead, true, true)
    foreign(wall, at=(true + 10 * day) * SECOND)
    data = {
        "clock_at": format_time((true + 9 * day) * SECOND), "expected_at": None,
        "head_at": format_time((true + 10 * day) * SECOND), "reason": "another day",
    }  # fmt: skip
    wall.append("ledger", "clock.stepped.v1", data)
    assert seen(audit_of(wall, tmp_path)) == [ahead]


def test_events_existed_once_the_first_witnesses_that_make_a_quorum_had_seen_them(
    wall: Paper, tmp_path: Path
) -> None:
    size = len(wall.events)
    at = recorded(wall, size)
    cosign(wall, size, at + HOUR, at + 9, at + 2)
    said = f"existed at {utc(at + 9)} (cosigned by w2 at {utc(at + 2)}, w1 at {utc(at + 9)})."
    assert said in audit_of(wall, tmp_path).text()


def test_what_no_witness_proves_is_said(wall: Paper, tmp_path: Path) -> None:
    size = len(wall.events) - 1
    late = recorded(wall, size + 1) + 2 * HOUR
    cosign(wall, size, late, late)
    report = audit_of(wall, tmp_path)
    assert seen(report) == []
    said = report.text()
    assert f"No witness bounds the time of events after {size} from above." in said
    assert "From below no time is proven: no event carries a time of a witness." in said
    assert (
        f"Event {size + 1} says that it was recorded 2h before w0 at {utc(late)} had seen no more "
        f"than {size} events: that it was recorded then is the ledger's word alone"
    ) in said


@pytest.mark.parametrize(("bound", "holds"), [(2 * HOUR, True), (2 * HOUR - 1, False), (0, False)])
def test_an_event_dated_before_a_witness_that_had_not_seen_it_is_held_to_the_readers_bound(
    wall: Paper, tmp_path: Path, bound: int, *, holds: bool
) -> None:
    size = len(wall.events) - 1
    late = recorded(wall, size + 1) + 2 * HOUR
    cosign(wall, size, late, late + 60)
    cosign(wall, size + 1, late + 9, late + 9)
    report = audit_of(wall, tmp_path, max_unseen_seconds=bound)
    assert seen(report) == ([] if holds else [size + 1])
    if not holds:
        (finding,) = [one for one in report.findings if one.rule == RULE]
        assert f"recorded 2h before w0 at {utc(late)} had seen no more than {size}" in finding.what


def test_an_event_backdated_to_before_what_witnesses_had_seen_is_refused_by_the_readers_bound(
    wall: Paper, tmp_path: Path
) -> None:
    """A holder of the key says that today's event was recorded with the last one, a month ago."""
    size = len(wall.events)
    month = 30 * 24 * HOUR
    cosign(wall, size, *[recorded(wall, size) + month] * 2)
    backdated = foreign(wall)
    cosign(wall, backdated, *[recorded(wall, size) + month + 5] * 2)
    assert seen(audit_of(wall, tmp_path)) == []
    assert seen(audit_of(wall, tmp_path, max_unseen_seconds=HOUR)) == [backdated]


def test_the_readers_bound_is_stated_on_the_line(wall: Paper, tmp_path: Path) -> None:
    size = len(wall.events)
    cosign(wall, size, *[recorded(wall, size) + HOUR] * 2)
    foreign(wall)
    policy = tmp_path / "policy"
    lines = [f"log {wall.key.verifier_key}", f"witness w {WITNESSES[0].cosigner_key}", "quorum w"]
    policy.write_text("\n".join(lines))
    line = ["audit", "run", str(wall.write(tmp_path / "paper.db")), "--witness-policy", str(policy)]
    for bound, is_said in (("1h", False), ("59m", True)):
        ran = CliRunner().invoke(app, [*line, "--max-unseen", bound])
        assert (f"and at most {bound} was allowed [{RULE}]" in ran.stdout) == is_said
    ran = CliRunner().invoke(app, [*line, "--max-unseen", "soon"])
    assert (ran.exit_code, "--max-unseen" in ran.stderr) == (Exit.MISUSE, True)


def test_the_times_of_a_data_ledger_are_those_of_its_data(paper: Paper, tmp_path: Path) -> None:
    size = len(paper.events)
    at = recorded(paper, size) - 24 * HOUR
    cosign(paper, size, at, at)
    report = audit_of(paper, tmp_path)
    assert (seen(report), compared(report)) == ([], 0)
    assert f"Events up to {size} existed at {utc(at)}" in report.text()
    assert "is the time of their data" in report.text()
