"""`policy lint` prints each finding with place, code and remedy; `--strict` refuses warnings."""

from pathlib import Path

import pytest

from tests.application.policy_texts import DEFAULT
from tests.cli.conftest import Run

NEVER = DEFAULT.replace("priority >= 400000", "priority > 100%")


def test_a_warning_is_printed_with_its_code_and_only_strict_refuses_it(
    cli: Run, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(NEVER)
    ran = cli("policy", "lint", str(file))
    place = f"{file}:37:13: warning: decision.rules[0].when: is never true"
    line = next(line for line in ran.out.splitlines() if line.startswith(place))
    assert line.endswith("Correct the limit, or remove the rule. [RULE_NEVER_TRUE]")
    assert (ran.code, "it can be drafted" in ran.out) == (0, True)
    assert cli("policy", "lint", str(file), "--strict").code == 1
    assert cli("policy", "draft", "main", str(file), "--rationale", "tried").code == 0


def test_a_clean_policy_passes_strict(cli: Run) -> None:
    assert cli("policy", "lint", "-", "--strict", stdin=DEFAULT).code == 0


@pytest.mark.parametrize(("needed", "codes"), [(1, []), (2, ["SOURCES_TOO_FEW"])])
def test_more_sources_than_report_a_signal_are_pointed_out(
    told: Run, needed: int, codes: list[str]
) -> None:
    text = DEFAULT.replace("sources_needed: 0", f"sources_needed: {needed}")
    linted = told("policy", "lint", "-", "--json", stdin=text)
    assert [each["code"] for each in linted.json["problems"]] == codes
