"""`signal standard`, `signal define --standard` and `signal show`: adopt a signal and see it.

Method: one served ledger; every sentence that a person would read is read.
"""

from pathlib import Path

from tests.cli.conftest import Run


def test_the_catalogue_is_listed_and_one_entry_is_shown_in_full(cli: Run) -> None:
    listed = cli("signal", "standard")
    assert listed.code == 0
    assert "psi " in listed.out
    assert "-log10 p" in listed.out
    shown = cli("signal", "standard", "psi")
    assert "version 1, kind drift" in shown.out
    assert "Hints: " in shown.out
    unknown = cli("signal", "standard", "psl")
    assert unknown.code == 2
    assert "Did you mean 'psi'?" in unknown.err


def test_a_standard_is_adopted_by_name_alone_and_fields_may_be_overridden(cli: Run) -> None:
    ran = cli("signal", "define", "--standard", "psi", "--owner", "risk")
    assert ran.code == 0, ran.err
    assert "Defined psi at position" in ran.out
    assert "It adopts the standard psi, version 1." in ran.out
    ran = cli("signal", "define", "psi-amount", "--standard", "psi", "--meaning", "Of the amount.")
    assert "It adopts the standard psi, version 1." in ran.out
    ran = cli("signal", "define", "age", "--standard", "data-age", "--unit", "minutes")
    assert "is not that of the standard, so it is your own." in ran.out
    known = {one["signal"]: one for one in cli("signal", "list", "--json").json["signals"]}
    assert known["psi"]["owner"] == "risk"
    assert (known["psi"]["standard"], known["psi"]["standard_version"]) == ("psi", 1)
    assert known["psi-amount"]["meaning"] == "Of the amount."
    assert (known["age"]["unit"], known["age"]["standard"]) == ("minutes", "")


def test_an_unknown_standard_and_a_definition_of_nothing_are_refused_with_what_to_do(
    cli: Run,
) -> None:
    ran = cli("signal", "define", "--standard", "latency-p59")
    assert ran.code == 1
    assert "did you mean 'latency-p95'?" in ran.err
    ran = cli("signal", "define", "mine", "--kind", "drift")
    assert ran.code == 2
    assert "`decision-ledger signal standard` lists what `--standard` adopts." in ran.err


def test_show_prints_each_version_with_its_owner_and_what_changed(cli: Run) -> None:
    assert cli("signal", "define", "--standard", "psi", "--owner", "risk").code == 0
    assert cli("signal", "define", "--standard", "psi", "--owner", "growth").code == 0
    assert cli("signal", "define", "psi", "--standard", "psi", "--unit", "bits").code == 0
    shown = cli("signal", "show", "psi")
    assert shown.code == 0, shown.err
    assert "psi, version 3" in shown.out
    assert "unit from psi to bits, standard" in shown.out
    versions = cli("signal", "show", "psi", "--json").json["versions"]
    assert [one["owner"] for one in versions] == ["risk", "growth", "growth"]
    assert [one["version"] for one in versions] == [1, 2, 3]
    assert [one["changed"] for one in versions][:2] == ["-", "owner"]
    missing = cli("signal", "show", "nothing")
    assert missing.code == 2
    assert "No signal is defined under 'nothing'." in missing.err


def test_policy_init_takes_hints_of_a_standard_and_the_draft_is_accepted(
    cli: Run, tmp_path: Path
) -> None:
    assert cli("signal", "define", "--standard", "psi").code == 0
    file = tmp_path / "first.yaml"
    ran = cli("policy", "init", "--signal", "psi", "--output", str(file))
    assert ran.code == 0, ran.err
    assert "baseline: 0.05" in file.read_text()
    assert cli("policy", "draft", "hinted", str(file), "--rationale", "to begin").code == 0
    assert cli("policy", "init").code == 0
