"""Compliance tables and answers from a live server or a bundle, and what goes wrong.

Method: a served ledger with observations, an evaluation and a policy; every form of file; every
question once; misuse of each kind; a bundle with one changed digit, and a checkpoint of a tree that
the ledger never had.
"""

import csv
import os
import re
import stat
import sys
from html import unescape
from pathlib import Path

import pytest

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest
from ledger.cli.exits import Exit
from ledger.compliance.questions import QUESTIONS
from ledger.events.policies import DRAFTED_TYPES
from tests.cli.conftest import Run, csv_of
from tests.support.served import ORIGIN


def test_tables_are_written_and_counted(told: Run, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = told("compliance", "export", str(out), "--json")
    assert done.code == 0
    assert done.json["rows"]["silent_sources"] == 4
    assert done.json["rows"]["decisions"] >= 1
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{name}.csv" for name in done.json["rows"]
    )
    with (out / "policy_changes.csv").open(newline="", encoding="utf-8") as handle:
        found = list(csv.DictReader(handle))
    assert [row["change"] for row in found] == ["drafted", "activated"]


def test_what_was_recorded_before_any_data_has_no_time_in_data_files(
    cli: Run, tmp_path: Path
) -> None:
    beside = ("--ledger", "ledger.example/two")
    assert cli("ledger", "create", "ledger.example/two", "--clock", "data").code == 0
    assert cli("log", "seal", *beside).code == 0
    assert cli("compliance", "export", str(tmp_path / "o"), *beside).code == 0
    with (tmp_path / "o" / "ledger_conduct.csv").open(newline="", encoding="utf-8") as handle:
        assert {row["recorded_at"] for row in csv.DictReader(handle)} == {""}


def test_tables_and_answers_say_that_callers_were_believed(told: Run, tmp_path: Path) -> None:
    said = r"Callers of events up to position [0-9]+ were believed, not authenticated: "
    out = tmp_path / "tables"
    assert re.search(said, told("compliance", "export", str(out)).out)
    with (out / "believed_callers.csv").open(newline="", encoding="utf-8") as handle:
        (row,) = csv.DictReader(handle)
    assert re.match(said, row["callers"])
    assert told("compliance", "export", str(out), "--format", "html").code == 0
    page = unescape((out / "compliance.html").read_text("utf-8"))
    assert len(re.findall(said, page)) == 2, "in its head, and in its table"
    assert re.search(said, told("audit", "answer", "override", "--model", "fares").out)
    assert re.match(said, told("audit", "answer", "clocks", "--json").json["callers"][0])


def test_tables_of_a_part_say_that_it_does_not_show_who_was_believed(
    told: Run, tmp_path: Path
) -> None:
    part = str(tmp_path / "part")
    assert told("export", "create", part, "--from", "3").code == 0
    done = told("compliance", "export", str(tmp_path / "tables"), "--bundle", part)
    assert "Whether callers were authenticated or believed is not shown here" in done.out


@pytest.mark.parametrize("form", ["csv", "parquet", "html"])
def test_only_the_owner_may_read_tables(told: Run, tmp_path: Path, form: str) -> None:
    out = tmp_path / "to" / form
    before = os.umask(0)
    try:
        assert told("compliance", "export", str(out), "--format", form).code == 0
    finally:
        os.umask(before)
    assert list(out.iterdir())
    for path in (out.parent, out, *out.iterdir()):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"


def test_other_forms_are_written_too(told: Run, tmp_path: Path) -> None:
    for form in ("parquet", "html"):
        out = tmp_path / form
        done = told("compliance", "export", str(out), "--format", form, "--model", "fares")
        assert done.code == 0
        assert "Retraining jobs: 0 rows" in done.out
        assert all(path.suffix == f".{form}" for path in out.iterdir())


def test_pages_tell_each_decision_in_the_sentences_of_explain(told: Run, tmp_path: Path) -> None:
    """Method: the server's page, a bundle's report and the page of that bundle, against explain."""
    assert told("export", "create", str(tmp_path / "b")).code == 0
    line = ("compliance", "export", "--format", "html")
    assert told(*line, str(tmp_path / "s")).code == 0
    assert told(*line, str(tmp_path / "p"), "--bundle", str(tmp_path / "b")).code == 0
    pages = [
        unescape((tmp_path / path).read_text("utf-8"))
        for path in ("s/compliance.html", "p/compliance.html", "b/data/report.html")
    ]
    decisions = told("decision", "list", "--json").json["decisions"]
    paragraphs = {
        told("decision", "explain", one["name"], "--json").json["explanation"]["paragraph"]
        for one in decisions
    }
    assert len(paragraphs) > 1
    for page in pages:
        for paragraph in paragraphs:
            assert paragraph in page
        assert "1970" not in page
    assert "before any data" in pages[2]


def test_a_client_alone_tells_a_bundles_reasons_in_the_policys_words_and_says_so(
    told: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told("export", "create", str(tmp_path / "b")).code == 0
    monkeypatch.setitem(sys.modules, "ledger.application.decisions.decisions", None)
    monkeypatch.setitem(sys.modules, "ledger.pages", None)
    done = told("compliance", "export", str(tmp_path / "c"), "--bundle", str(tmp_path / "b"))
    assert done.code == 0
    assert "needs the extra `server`" in done.err
    assert "Rule " in (tmp_path / "c" / "decisions.csv").read_text("utf-8")


def test_what_is_withheld_is_not_told_by_a_reason(told: Run, tmp_path: Path) -> None:
    drafts = [word for type_ in DRAFTED_TYPES for word in ("--withhold-type", type_)]
    withhold = (*drafts, "--withhold-reason", "secret")
    assert told("export", "create", str(tmp_path / "b"), *withhold).code == 0
    page = unescape((tmp_path / "b" / "data" / "report.html").read_text("utf-8"))
    assert "of policy default version 1 matched." in page
    assert "priority >= " not in page


def test_a_person_and_a_period_narrow_the_tables(told: Run, tmp_path: Path) -> None:
    line = ("compliance", "export", str(tmp_path / "o"), "--json")
    by_none = told(*line, "--by", "users/nobody").json["rows"]
    assert by_none["policy_changes"] == 0
    assert told(*line, "--until", "2020-01-01").json["rows"]["policy_changes"] == 0


def test_misuse_is_refused_before_anything_is_written(told: Run, tmp_path: Path) -> None:
    for line in (
        ("--format", "pdf"),
        ("--by", "ada"),
        ("--model", "A B"),
        ("--from", "2026-02-01", "--until", "2026-01-01"),
        ("--from", "soon"),
        ("--bundle", str(tmp_path / "none")),
    ):
        done = told("compliance", "export", str(tmp_path / "o"), *line)
        assert done.code == 2, line
        assert not (tmp_path / "o").exists()


def test_the_questions_are_listed(told: Run) -> None:
    done = told("audit", "answer")
    assert done.code == 0
    last = done.out.splitlines()[-1]
    assert last.split(maxsplit=1) == ["controls", QUESTIONS["controls"].text]


def test_each_question_is_answered_or_says_what_is_not_recorded(told: Run) -> None:
    for name, question in QUESTIONS.items():
        done = told("audit", "answer", name, "--model", "fares")
        assert done.code == 0
        assert done.out.startswith(question.text)
        document = told("audit", "answer", name, "--model", "fares", "--json").json
        assert (document["name"], document["question"]) == (name, question.text)
        assert document["state"] in {"answered", "partly", "not answered"}
        assert bool(document["missing"]) == (document["state"] != "answered")


def test_a_decision_is_computed_again_on_the_server(told: Run) -> None:
    assert (
        "Computed again on the server: IDENTICAL."
        in told("audit", "answer", "replay", "--model", "fares").out
    )


def test_an_override_is_told_with_its_reason_its_end_and_who_set_it(
    told: Run, tmp_path: Path
) -> None:
    seen = told("decision", "list", "fares", "--json").json["decisions"][0]["position"]
    line = ("decision", "override", "fares", "--action", "adjust-data-collection")
    why = ("--reason", "Its labels arrived twice.", "--expires", "7d")
    done = told(*line, *why, "--seen", str(seen), "--actor", "users/ada")
    assert done.code == 0, done.err
    assert re.fullmatch(
        r"fares: ADJUST_DATA_COLLECTION until 20[0-9TZ:-]+, over the decision at position "
        rf"{seen}; recorded at position [0-9]+\.\n",
        done.out,
    )
    assert told("evaluate", "fares").code == 0
    said = told("decision", "explain", "fares").out
    assert "ADJUST_DATA_COLLECTION for fares, by the override at position" in said
    assert re.search(r"users/ada overrode it until [0-9TZ:-]+: Its labels arrived twice\.", said)
    assert "users/ada overrode it until" in told("why", "fares").out
    shown = told("decision", "show", "fares").out
    said = r"overridden +at position [0-9]+; by the rules alone: [A-Z_]+; by users/ada until "
    assert re.search(said + r"[0-9TZ:-]+: Its labels arrived twice\.\n", shown)
    place = f"models/fares/decisions/{seen}"
    told_over = r"users/ada overruled it with ADJUST_DATA_COLLECTION until [0-9TZ:-]+, at position "
    told_over += r"[0-9]+: Its labels arrived twice\. It holds still\."
    page = tmp_path / "original.html"
    original = told("decision", "explain", place, "--html", str(page))
    for text in (original.out, told("decision", "show", place).out, page.read_text()):
        assert re.search(told_over, text), text
    assert "action       " in told("decision", "show", place).out, "the original stays as it was"
    newest, overruled = told("decision", "list", "fares").out.splitlines()[1:3]
    assert newest.endswith("by the override of users/ada")
    assert re.search(r"overruled until [0-9TZ:-]+ by users/ada$", overruled)
    (record,) = told("decision", "show", place, "--json").json["decision"]["overruled_by"]
    assert (record["role"], record["in_effect"]) == ("", True)
    answer = told("audit", "answer", "override", "--model", "fares", "--json").json
    (row,) = answer["tables"][0]["rows"]
    assert (row["actor"], row["rationale"]) == ("users/ada", "Its labels arrived twice.")
    assert any("was set by the override at position" in one for one in answer["said"])
    asked = ("audit", "answer", "override", "--model", "fares", "--position", str(seen), "--json")
    answer = told(*asked).json
    assert any("users/ada overruled it at position" in one for one in answer["said"])
    counted = told("compliance", "export", str(tmp_path / "o"), "--model", "fares", "--json").json
    assert counted["rows"]["overrides"] == 1


def test_an_override_that_may_not_be_says_why(told: Run) -> None:
    line = ("decision", "override", "fares", "--action", "investigate", "--reason", "x")
    for more, code, words in (
        (("--expires", "91d"), Exit.MISUSE, "more than 90d"),
        (("--expires", "soon"), Exit.MISUSE, "--expires"),
        (("--expires", "1h", "--tier", "nowhere"), Exit.REFUSED, "Choose one of"),
        (("--expires", "1h", "--actor", "services/robot"), Exit.REFUSED, "only a person may"),
        (("--expires", "1h", "--seen", "1"), Exit.REFUSED, "is not in force"),
    ):
        done = told(*line, *more)
        assert (done.code, words in done.err) == (code, True), done.err


def test_a_question_put_wrongly_is_misuse(told: Run, tmp_path: Path) -> None:
    done = told("audit", "answer", "why")
    assert done.code == 2
    assert "--model" in done.err
    unknown = told("audit", "answer", "6")
    assert (unknown.code, "No question is named '6'" in unknown.err) == (2, True)
    assert (
        told("audit", "answer", "whole-history", "--checkpoint", str(tmp_path / "none")).code == 2
    )


def test_a_bundle_is_verified_before_anything_is_read_from_it(
    told: Run, run: Run, tmp_path: Path
) -> None:
    key = str(told("vkey", "--json").json["verifier_key"])
    bundle, out = tmp_path / "bundle", tmp_path / "tables"
    assert told("export", "create", str(bundle)).code == 0
    policy = tmp_path / "policy"
    policy.write_text(f"log {key}\nquorum none\n")
    asked = ("audit", "answer", "refusals-and-silence", "--model", "fares", "--bundle", str(bundle))
    written = ("compliance", "export", str(out), "--bundle", str(bundle))
    for line in (asked, written):
        for trusted in (("--vkey", key), ("--witness-policy", str(policy))):
            ran = run(*line, *trusted)
            assert (ran.code, ran.err) == (0, "")
        assert "was read unverified" in run(*line).err
    for path in out.iterdir():
        path.unlink()
    events = bundle / "data" / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'"value":"0.44"', b'"value":"0.11"', 1))
    for line in (asked, written):
        ran = run(*line, "--witness-policy", str(policy))
        assert ran.code == Exit.INTEGRITY
        assert "data/events.jsonl, line" in ran.err
        assert ran.out == ""
    assert list(out.iterdir()) == []


def test_a_key_that_would_be_asked_of_nothing_is_misuse(told: Run, tmp_path: Path) -> None:
    key = str(told("vkey", "--json").json["verifier_key"])
    for line in (
        ("audit", "answer", "refusals-and-silence"),
        ("compliance", "export", str(tmp_path / "o")),
    ):
        ran = told(*line, "--vkey", key)
        assert ran.code == Exit.MISUSE
        assert "--bundle" in ran.err


def test_a_kept_checkpoint_is_compared_with_one_that_is_verified(told: Run, tmp_path: Path) -> None:
    key = str(told("vkey", "--json").json["verifier_key"])
    kept = tmp_path / "kept"
    assert told("log", "checkpoint", "--output", str(kept)).code == 0
    assert told("signal", "submit", stdin=csv_of(3, model="hotels")).code == 0
    asked = ("audit", "answer", "whole-history", "--checkpoint", str(kept))
    ran = told(*asked, "--vkey", key)
    assert ran.code == 0, ran.err
    assert f"a checkpoint signed by {key}" in " ".join(ran.out.split())
    policy = tmp_path / "policy"
    witness = CosigningKey("w.example", bytes(32)).cosigner_key
    policy.write_text(f"log {key}\nwitness w {witness}\nquorum w\n")
    ran = told(*asked, "--witness-policy", str(policy), "--deadline", "0.5")
    assert (ran.code, "not yet by w" in ran.err) == (Exit.INTEGRITY, True)


def test_a_checkpoint_of_another_tree_or_ledger_is_not_continued(told: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    asked = ("audit", "answer", "whole-history", "--checkpoint", str(kept))
    kept.touch()
    ran = told(*asked)
    assert (ran.code, "is empty" in ran.err) == (Exit.MISUSE, True)
    never_had = CheckpointBody(ORIGIN, 20, Digest(bytes([7]) * 32))
    kept.write_bytes(sign(never_had, [SecretKey(ORIGIN, bytes(32))]))
    ran = told(*asked)
    assert (ran.code, "does not extend the kept tree" in ran.err) == (Exit.INTEGRITY, True)
    other = "ledger.example/other"
    kept.write_bytes(sign(CheckpointBody(other, 20, never_had.root), [SecretKey(other, bytes(32))]))
    ran = told(*asked)
    assert (ran.code, f"is of {other}" in ran.err) == (Exit.MISUSE, True)
    kept.write_text("no note")
    assert told(*asked).code == Exit.MISUSE


def test_all_answers_are_one_page_from_a_server_or_a_bundle(told: Run, tmp_path: Path) -> None:
    page = tmp_path / "made" / "page.html"
    ran = told("audit", "answer", "--all", "--html", str(page), "--model", "fares")
    assert ran.code == 0, ran.err
    assert f"{len(QUESTIONS)} answers are in {page}." in ran.out
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = unescape(page.read_text("utf-8"))
    assert all(question.text in text for question in QUESTIONS.values())
    assert text.count("were believed, not authenticated") == 1
    assert f"<title>Answers about {ORIGIN}</title>" in text
    bundle = tmp_path / "bundle"
    assert told("export", "create", str(bundle)).code == 0
    other = tmp_path / "other.html"
    ran = told("audit", "answer", "--all", "--html", str(other), "--bundle", str(bundle))
    assert ran.code == 0, ran.err
    assert f"Answers about {ORIGIN}" in other.read_text("utf-8")


def test_a_compliance_export_holds_the_page_of_answers(told: Run, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = told("compliance", "export", str(out), "--format", "html", "--answers", "--json")
    assert done.code == 0, done.err
    assert sorted(path.name for path in out.iterdir()) == ["answers.html", "compliance.html"]
    assert str(out / "answers.html") in done.json["files"]


def test_all_answers_are_told_and_the_callers_once(told: Run) -> None:
    ran = told("audit", "answer", "--all", "--model", "fares")
    assert ran.code == 0, ran.err
    assert all(question.text in ran.out for question in QUESTIONS.values())
    assert ran.out.count("were believed, not authenticated") == 1
    listed = told("audit", "answer", "--all", "--json").json["answers"]
    assert [one["name"] for one in listed] == list(QUESTIONS)


def test_the_control_map_is_shown_without_a_server(run: Run) -> None:
    shown = run("audit", "controls", "eu-ai-act")
    assert shown.code == 0, shown.err
    assert "12(1): The system can record events by itself" in shown.out
    assert "NIST" not in shown.out
    everything = run("audit", "controls", "--json").json["frameworks"]
    assert len(everything) == 5


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (("audit", "answer", "why", "--all"), "ask for one question and for all of them"),
        (("audit", "answer", "--html", "x.html"), "--html is the page of all answers"),
        (("audit", "controls", "gdpr"), "There is no map of 'gdpr'"),
    ],
)
def test_a_question_that_is_not_clear_is_refused(
    run: Run, line: tuple[str, ...], what: str
) -> None:
    ran = run(*line)
    assert ran.code == 2
    assert what in ran.err
