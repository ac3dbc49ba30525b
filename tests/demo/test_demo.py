"""The demo itself, over its first weeks: a real server, real flights, and every proof it shows.

Two runs in folders of their own; what they wrote is read from the files they keep.
"""

import hashlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.audit.paper import Paper
from tests.support.audits import audited
from tools.demo import __main__ as demo
from tools.demo.evidence import BUNDLE, KEY_FILE, stored_links, verify
from tools.demo.screen import Screen
from tools.demo.server import LEDGER_FILE
from tools.demo.year import ORIGIN, policy_text

ROOT = Path(__file__).resolve().parents[2]
WEEKS = 3


@dataclass(frozen=True)
class Ran:
    """A finished run: whether all was well, what it showed, and what it kept."""

    good: bool
    shown: str
    folder: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / BUNDLE / "data" / "events.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]


def a_run(folder: Path, *, is_trained_again: bool = False) -> Ran:
    text = io.StringIO()
    screen = Screen(Console(file=text, width=100, highlight=False))
    good = demo.run(
        screen,
        folder,
        weeks=WEEKS,
        is_kept=True,
        is_trained_again=is_trained_again,
        has_jobs=False,  # they have tests of their own
    )
    return Ran(good, text.getvalue(), folder)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return a_run(tmp_path_factory.mktemp("demo"), is_trained_again=True)


def test_every_replay_is_identical(ran: Ran) -> None:
    counted = sum(
        event["header"]["type"] in {"decision.made.v2", "plan.made.v1"} for event in ran.events
    )
    assert ran.good
    assert counted == WEEKS * 28 + WEEKS
    assert f"{counted} of {counted} replays identical, 0 divergent, 0 not replayable." in ran.shown


def test_the_audit_misses_nothing_in_it_and_a_decision_that_is_taken_out(
    ran: Ran, tmp_path: Path
) -> None:
    report = audited(ran.folder / LEDGER_FILE)
    assert report.passed, report.text()
    applied = {one.rule: one.checked for one in report.rules}
    assert applied["decisions.due"] == 2 * WEEKS * 28
    paper = Paper.copied(ran.folder / LEDGER_FILE, ORIGIN)
    last = paper.find("decision.made.v2")[-1]
    paper.remove(last)
    found = audited(paper.write(tmp_path / "paper.db")).findings
    assert ("decisions.due", last - 1) in [(one.rule, one.position) for one in found]


def test_versions_trained_again_are_the_same_to_the_byte(ran: Ran) -> None:
    assert " versions trained again: the same bytes." in ran.shown


def test_the_edit_is_found_where_it_was_made(ran: Ran) -> None:
    at = int(ran.shown.partition("An UPDATE of position ")[2].split(" ")[0])
    assert f"Verification stops at position {at}: the body does not have" in ran.shown
    edited = ran.events[at - 1]
    assert edited["header"]["type"] == "signal.observed.v1"
    assert edited["body"]["data"]["signal"] == "log_loss"


def test_what_it_keeps_verifies_without_our_code(ran: Ran) -> None:
    previous = "0" * 64
    for position, event in enumerate(ran.events, 1):
        header = event["header"]
        assert (header["position"], header["prev_hash"]) == (position, previous)
        assert header["ledger"] == ORIGIN
        salted = b"\x02" + bytes.fromhex(event["salt"]) + canonical(event["body"])
        assert header["body_hash"] == hashlib.sha256(salted).hexdigest()
        previous = event["hash"]
        assert previous == hashlib.sha256(b"\x00" + canonical(header)).hexdigest()


def test_the_bundle_it_keeps_verifies_with_the_stand_alone_tool(ran: Ran) -> None:
    key = (ran.folder / KEY_FILE).read_text().strip()
    command = [sys.executable, str(ROOT / "tools" / "verify_bundle.py"), str(ran.folder / BUNDLE)]
    found = subprocess.run([*command, "--vkey", key], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_file_it_keeps_verifies_against_the_kept_checkpoint(ran: Ran) -> None:
    found = verify(
        stored_links(ran.folder / LEDGER_FILE, ORIGIN),
        origin=ORIGIN,
        note=(ran.folder / BUNDLE / "data" / "checkpoint").read_text(),
        vkey=(ran.folder / KEY_FILE).read_text().strip(),
    )
    assert found.events == len(ran.events)
    assert found.head.hex() == ran.events[-1]["hash"]


def test_two_runs_decide_and_plan_alike(ran: Ran, tmp_path: Path) -> None:
    again = a_run(tmp_path)

    def story(one: Ran) -> list[tuple[str, Any]]:
        # All but the first two events, which name keys that are drawn for each run.
        return [(event["header"]["stream"], event["body"]["data"]) for event in one.events[2:]]

    assert story(again) == story(ran)


def test_the_budget_is_never_overdrawn(ran: Ran) -> None:
    plans = [
        event["body"]["data"] for event in ran.events if event["header"]["type"] == "plan.made.v1"
    ]
    held = 2_000_000  # the first week only trains, so its two jobs are kept
    for made in plans:
        held = min(8_000_000, held + 2_000_000)
        assert int(made["purse_micros"]) == held
        admitted = [row for row in made["backlog"] if row["outcome"] == "admitted"]
        held -= sum(int(row["cost_micros"]) for row in admitted)
        assert int(made["purse_left_micros"]) == held


def test_a_folder_with_a_ledger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_text("precious")
    with pytest.raises(SystemExit, match="never overwritten"):
        demo.main(["--data", str(tmp_path), "--weeks", "1"])
    assert (tmp_path / LEDGER_FILE).read_text() == "precious"


def test_the_policy_gives_a_reason_for_every_weight_and_rule() -> None:
    from ledger.application.policies.text import parse

    document = parse(policy_text())
    assert all(rule.rationale for rule in document.scoring.signals)
    assert all(rule.rationale for rule in document.decision.rules)
