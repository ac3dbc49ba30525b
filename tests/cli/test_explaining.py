"""`decision explain`: for a person as text and as a page, with by whose policy and all it rests on.

Method: one explanation of a prepared server is asked for in every form, and they are compared.
"""

import re
from html import unescape
from pathlib import Path

from tests.cli.conftest import Run
from tests.pages.test_style import Tables, style_of
from tests.support.every_command import ERASED


def test_an_explanation_names_policy_reports_impact_rules_changes_and_bounds(told: Run) -> None:
    ran = told("decision", "explain", "fares")
    document = told("decision", "explain", "fares", "--json").json
    parts = re.findall(r"^([A-Z][a-z ]+):", ran.out, re.MULTILINE)
    assert parts == [
        "Policy",
        "Signals",
        "Reports",
        "Impact and risk",
        "Rules",
        "Changes that would give another decision",
        "One source alone",
    ]
    by = document["standing"]
    assert f"{by['drafted_by']} drafted it" in ran.out
    assert f"{by['activated_by']} brought it into force for the whole ledger" in ran.out
    for each in document["grounds"]["counterfactuals"]:
        assert each["sentence"] in ran.out
    assert document["grounds"]["lift"] in ran.out
    # People read per cent, units and times, never the integers of the data.
    assert not re.search(r"_ppm|_micros|\b\d{6,}\b", ran.out)


def test_in_full_an_explanation_has_every_bucket_and_every_variable(told: Run) -> None:
    document = told("decision", "explain", "fares", "--json").json
    full = told("decision", "explain", "fares", "--full").out
    for each in document["grounds"]["signals"]:
        if each["buckets"]:
            part = full.split(f"How {each['signal']} came about:\n")[1].split("\n\n")[0]
            assert part.count("  severity ") == len(each["buckets"]) > 1
    assert "  hours_since_deployed: " in full
    assert "  priority: " in full


def test_the_page_says_what_the_text_says_in_the_style_of_all_pages(
    told: Run, tmp_path: Path
) -> None:
    file = tmp_path / "pages" / "why.html"
    ran = told("decision", "explain", "fares", "--html", str(file))
    assert (ran.code, f"Wrote {file}." in ran.err) == (0, True)
    assert oct(file.stat().st_mode)[-3:] == "600"
    page = file.read_text("utf-8")
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    document = told("decision", "explain", "fares", "--json").json
    why, grounds = document["explanation"], document["grounds"]
    said = [why["headline"], why["paragraph"], grounds["lift"]]
    said += [each["sentence"] for name in ("contributions", "rules") for each in why[name]]
    said += [each["sentence"] for each in why["boundaries"] + grounds["counterfactuals"]]
    said += [each["bound"] for each in grounds["signals"]]
    assert [each for each in said if " ".join(each.split()) not in words] == []
    assert style_of(page) == style_of(_compliance(told, tmp_path))
    tables = Tables(page)
    known = {heading for headings in tables.headings for heading in headings}
    labels = {label for row in tables.rows for label, _ in row}
    assert labels == known
    assert max(len(label) for label in labels) <= 10, "a narrow screen has one line for it"
    assert "<script" not in page
    again = told("decision", "explain", "fares", "--html", str(file))
    assert (again.code, file.read_text("utf-8")) == (0, page)


def _compliance(told: Run, folder: Path) -> str:
    assert told("compliance", "export", str(folder / "c"), "--format", "html").code == 0
    return (folder / "c" / "compliance.html").read_text("utf-8")


def test_without_its_reports_a_decision_is_explained_and_says_what_is_not_known(
    told: Run,
) -> None:
    position = told("decision", "show", "fares", "--json").json["decision"]["position"]
    events = told("log", "tail", "--json").lines
    seen = next(
        one["position"]
        for one in reversed(events)
        if one["type"] == "signal.observed.v1" and one["stream"] == "models/fares"
    )
    line = ("erase", "--positions", str(seen), *ERASED, "--yes")
    assert told(*line).code == 0
    ran = told("decision", "explain", str(position))
    assert ran.code == 0
    assert "How the numbers came about is not known: " in ran.out
    assert "Reports:" not in ran.out


def test_policies_say_in_words_what_one_source_alone_can_do(told: Run) -> None:
    shown = told("policy", "show", "default")
    bounds = told("policy", "show", "default", "--json").json["version"]["bounds"]
    assert bounds
    assert [f"# {each}" for each in bounds] == re.findall(
        "^# One source .*$", shown.out, re.MULTILINE
    )
    linted = told("policy", "lint", "-", stdin=shown.out)
    assert linted.code == 0
    assert [each for each in bounds if each not in linted.out] == []


def test_an_auditor_who_asks_what_if_is_told_of_reports_and_weights_too(told: Run) -> None:
    ran = told("audit", "answer", "what-if", "--model", "fares")
    document = told("decision", "explain", "fares", "--json").json
    for each in document["grounds"]["counterfactuals"]:
        assert each["sentence"] in ran.out
