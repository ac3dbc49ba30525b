"""`policy init` without history: limits that a person states become a policy that can be drafted.

Method: an empty ledger with defined signals; the printed policy is linted, drafted and activated.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.client.authority import AuthorityScope, RecordedGrant
from ledger.operations.policy_fit import has_approver
from tests.cli.conftest import Run

LIMITS = ("--signal", "log-loss", "--baseline", "0.4", "--critical", "0.6")


def test_stated_limits_make_a_policy_that_can_be_drafted(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "first.yaml"
    assert cli("policy", "init", *LIMITS, "--output", str(file)).code == 0
    assert "baseline: 0.4" in file.read_text()
    for kept in ("budget: required", "deployments: gated", "margin: 0%"):
        assert f"  {kept}\n" in file.read_text()
    linted = cli("policy", "lint", str(file))
    assert linted.code == 0, linted.out
    assert "it can be drafted" in linted.out
    assert cli("policy", "draft", "first", str(file), "--rationale", "to begin with").code == 0
    assert cli("policy", "activate", "first", "1", "--rationale", "to begin with").code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LIMITS[:4], "Each --signal needs one --baseline and one --critical."),
        ((*LIMITS, "--signal", "log-loss"), "Each --signal needs one --baseline"),
        (("--signal", "los", *LIMITS[2:]), "Not defined: los"),
        (("--signal", "log-los", *LIMITS[2:]), "Not defined: log-los (did you mean log-loss?)."),
        ((*LIMITS[:4], "--critical", "much"), "--baseline and --critical of log-loss"),
        ((*LIMITS, "--reports-every", "often"), "--reports-every"),
        (
            (*LIMITS, "--reports-every", "0s"),
            "--reports-every: 0 is not a time between two reports.",
        ),
    ],
)
def test_limits_that_make_no_policy_are_misuse(cli: Run, line: tuple[str, ...], said: str) -> None:
    ran = cli("policy", "init", *line)
    assert ran.code == 2
    assert said in ran.err


def test_without_history_the_refusal_says_how_to_begin(cli: Run) -> None:
    ran = cli("policy", "init")
    assert ran.code == 1
    assert "`decision-ledger policy init --signal SIGNAL --baseline HEALTHY" in ran.err


def test_a_signal_without_limits_or_hints_is_refused(cli: Run) -> None:
    ran = cli("policy", "init", "--signal", "log-loss")
    assert ran.code == 1
    assert "State it: --signal log-loss --baseline HEALTHY --critical BAD." in ran.err


def test_a_critical_on_the_healthy_side_is_refused(cli: Run) -> None:
    ran = cli("policy", "init", *LIMITS[:4], "--critical", "0.3")
    assert ran.code == 1
    assert "0.3 is not worse than the baseline 0.4: higher is worse" in ran.err


def test_a_limit_of_many_digits_is_rounded_and_that_is_said(cli: Run) -> None:
    ran = cli("policy", "init", *LIMITS[:3], "0.41234567890123", *LIMITS[4:])
    assert ran.code == 0
    assert "baseline: 0.412345679\n" in ran.out
    assert "1 value was rounded to 9 decimals." in ran.err


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"role": "policy-author"}, False),
        ({"actor": "services/robot"}, False),
        ({"scope": AuthorityScope(models=("fares",))}, False),
        ({"scope": AuthorityScope(labels={"tier": "high"})}, False),
        ({"expired": True}, False),
    ],
)
def test_a_first_policy_asks_for_approvals_where_a_person_could_give_one(
    changes: dict[str, Any],
    expected: bool,  # noqa: FBT001
) -> None:
    grant: dict[str, Any] = {
        "position": 7, "actor": "users/ben", "role": "policy-approver", "scope": AuthorityScope(),
        "expires_at": None, "granted_by": "users/root", "expired": False,
    }  # fmt: skip
    authority = SimpleNamespace(grants=(RecordedGrant(**(grant | changes)),))
    client: Any = SimpleNamespace(get_authority=lambda: authority)
    assert has_approver(client) is expected


@pytest.mark.parametrize(
    ("authors", "expected"),
    [(("users/ben",), False), (("users/ana",), True), (("users/ben", "users/ana"), True)],
)
def test_a_first_policy_asks_for_no_approval_that_would_take_its_only_author(
    authors: tuple[str, ...],
    expected: bool,  # noqa: FBT001
) -> None:
    grant: dict[str, Any] = {
        "position": 7, "scope": AuthorityScope(), "expires_at": None, "granted_by": "users/root",
        "expired": False,
    }  # fmt: skip
    held = [("users/ben", "policy-approver"), *((one, "policy-author") for one in authors)]
    grants = [RecordedGrant(**grant, actor=actor, role=role) for actor, role in held]
    client: Any = SimpleNamespace(get_authority=lambda: SimpleNamespace(grants=grants))
    assert has_approver(client) is expected
