"""The report is one safe page: nothing from outside, no script, every foreign text escaped.

Method: a bundle whose events carry hostile texts wherever text may stand; the page is parsed, and
every element, attribute and text compared with what may be there.
"""

from html.parser import HTMLParser
from pathlib import Path

from ledger.export.report import Replay
from ledger.export.scope import BundlePlan, Withholding
from tests.support.bundles import LedgerInMemory, small_ledger

HOSTILE = "</td><script>alert('x')</script><img src=x onerror=y> \"&amp;' {{ 7 * 7 }} {% raw %}"


class Page(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def decision(made: LedgerInMemory, model: str = "fares", **fields: object) -> int:
    signal = {
        "weight": 500_000,
        "source": "services/monitor",
        "observations": 40,
        "buckets": 20,
        "peak": 700_000,
        "magnitude": 640_000,
        "breaches": 3,
        "streak": 3,
        "persistence": 500_000,
        "freshness": 900_000,
        "trend": 1_000,
        "sustained": True,
        "effective": 400_000,
        "present": True,
    }
    environment = {
        "priority": 831_000,
        "raw_priority": 831_000,
        "degradation": 600_000,
        "coverage": 1_000_000,
        "impact": 1,
        "risk": 1,
        "signals": {
            "log-loss": {**signal, "signal": "log-loss", "share": 610_000},
            "psi": {**signal, "signal": "psi", "share": 390_000},
        },
        "model": {"owner": HOSTILE, "tier": HOSTILE, "labels": {}},
        "hours_since_deployed": 3,
        "retrainings_30d": 0,
        "in_force": "NO_ACTION",
        "in_force_rule": "",
        "hours_in_force": 3,
        "slo_hours_left": 10,
    }
    data: dict[str, object] = {
        "model": model,
        "as_of": 5,
        "evaluated_at": "2026-01-20T10:00:00.000000Z",
        "model_version": "v1",
        "policy": "default",
        "policy_version": 1,
        "policy_digest": "00" * 32,
        "kernel": "bucketed/1",
        "trigger": "ingest",
        "historical": False,
        "procedure": "rules/1",
        "score_position": 6,
        "environment": environment,
        "action": "SCHEDULE_RETRAINING",
        "tier": HOSTILE,
        "rule": HOSTILE,
        "reason": "RULE",
        "held_back": None,
        "overridden": None,
        "since": "2026-01-20T10:00:00.000000Z",
    }
    return made.add("decision.made.v1", data | fields, f"models/{model}")


def hostile_ledger() -> LedgerInMemory:
    made = small_ledger()
    decision(made)
    decision(made, reason="OTHERWISE", rule="", action="NO_ACTION", held_back="COOL_DOWN")
    decision(made, action="NONSENSE")
    made.add(
        "decision.overridden.v1",
        {
            "model": "fares",
            "action": "NO_ACTION",
            "tier": "",
            "effective_from": "2026-01-20T10:00:00.000000Z",
            "effective_until": "2026-02-20T10:00:00.000000Z",
            "rationale": HOSTILE,
        },
        "models/fares",
    )
    made.add(
        "policy.activated.v1",
        {
            "policy": "default",
            "version": 1,
            "digest": "00" * 32,
            "scope": {"kind": "ledger", "model": None, "labels": {}},
            "rationale": HOSTILE,
        },
        "policies/default",
    )
    return made


def page_of(folder: Path, replays: dict[int, Replay] | None = None) -> tuple[str, Page]:
    made = hostile_ledger()
    withholding = Withholding(streams=frozenset({"models/hotels"}), reason=HOSTILE)
    plan = made.plan(withholding=withholding)
    fields = {name: getattr(plan, name) for name in BundlePlan.__slots__}
    made.write(folder, BundlePlan(**fields | {"purpose": HOSTILE}), replays=replays)
    text = (folder / "data" / "report.html").read_text("utf-8")
    return text, Page(text)


def test_foreign_texts_are_shown_as_they_are_and_do_nothing(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, {12: Replay("DIVERGENT", HOSTILE)})
    assert page.open == []
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "link", "form", "base"}
    shown = "".join(page.texts)
    assert shown.count(HOSTILE) >= 7  # rule, tier, reason, purpose, two rationales, why


def test_nothing_comes_from_outside_the_page(tmp_path: Path) -> None:
    text, page = page_of(tmp_path)
    assert [value for _, name, value in page.attributes if name in {"src", "href"}] == ["#check"]
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_decisions_stand_there_with_their_reasons_and_replays(tmp_path: Path) -> None:
    _, page = page_of(tmp_path, {12: Replay("IDENTICAL"), 13: Replay("NOT_REPLAYABLE", "gone")})
    shown = " ".join("".join(page.texts).split())
    assert "of policy default version 1 matched." in shown
    assert (
        "No rule of policy default version 1 matched. It was held back by the cool-down." in shown
    )
    assert "log-loss 61.0%, psi 39.0%" in shown
    assert "This release cannot read the event" in shown
    assert "2 decisions and plans were computed again" in shown
    assert "1 identical, 0 divergent, 1 not replayable" in shown


def test_a_historical_decision_is_marked_and_no_other(tmp_path: Path) -> None:
    made = small_ledger()
    decision(made)
    decision(made, historical=True)
    made.write(tmp_path)
    text = (tmp_path / "data" / "report.html").read_text("utf-8")
    words = "Evaluated as of an earlier time; it changed nothing in force."
    rows = [row for row in text.split("</tr>") if "SCHEDULE_RETRAINING" in row]
    assert [words in row for row in rows] == [True, False], "newest first"


def test_what_is_missing_and_how_to_check_again_are_said(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    shown = " ".join("".join(page.texts).split())
    assert "1 withheld: " + " ".join(HOSTILE.split()) in shown
    assert "1 erased, each named by an erasure in this bundle" in shown
    assert "python3 verify_bundle.py FOLDER --vkey" in shown
    assert "from somewhere else than this folder" in shown


def test_only_the_newest_decisions_are_listed_and_that_is_said(tmp_path: Path) -> None:
    made = small_ledger()
    for _ in range(503):
        decision(made)
    made.write(tmp_path)
    text = (tmp_path / "data" / "report.html").read_text("utf-8")
    assert text.count("SCHEDULE_RETRAINING") == 500
    assert "The newest 500 of 503" in text
