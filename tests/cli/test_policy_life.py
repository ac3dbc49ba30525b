"""The life of a policy from the command line: from a draft to its retirement, by people with roles.

Method: a served ledger that begins with an administrator; callers are believed to be whom they
name, so that each test is about what a command sends and says.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.administered import ANA, WHY, administered, done, refused_with
from tests.cli.conftest import Ran, Run
from tests.support.audits import audited
from tests.support.staffed import APPROVER, governed_text
from tools.shapes import SHAPES, fields_of

AUTHOR, PAT, SAM = "users/author", "users/pat", "users/sam"
BECAUSE = ("--rationale", "Because.")


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Run]:
    """Run a command on a ledger of an author and two approvers, under a policy that needs both."""
    with administered(tmp_path) as run:
        roles = {AUTHOR: ("policy-author",), PAT: (APPROVER,), SAM: (APPROVER,)}
        for number, (actor, held) in enumerate(roles.items(), start=2):
            done(run("authority", "register", actor, "--person", f"staff-{number}"))
            for role in held:
                done(run("authority", "grant", actor, role, *WHY))
        kind = ("--kind", "performance", "--unit", "nats", "--direction", "higher-is-worse")
        done(run("signal", "define", "loss", *kind, "--meaning", "Loss.", "--actor", AUTHOR))
        draft(run, tmp_path, "First")
        done(run("policy", "activate", "main", "1", *BECAUSE, "--actor", PAT))
        yield run


def draft(run: Run, folder: Path, title: str) -> str:
    """Draft the next version; return its digest."""
    path = folder / "policy.json"
    path.write_text(governed_text((APPROVER, 2), title=title))
    line = ("policy", "draft", "main", str(path), *BECAUSE, "--actor", AUTHOR)
    return str(run(*line, "--json").json["version"]["digest"])


def told(ran: Ran, name: str) -> str:
    """Return what a command printed, which has the shape that is documented."""
    assert ran.code == 0, ran.err
    assert tuple(ran.json) == fields_of(SHAPES[name])
    return ran.out


def test_a_version_lives_from_its_draft_to_its_retirement(people: Run, tmp_path: Path) -> None:
    digest = draft(people, tmp_path, "Second")
    second = ("main", "2")
    lacking = people("policy", "activate", *second, *BECAUSE, "--actor", PAT)
    assert "main version 1 asks for 2 policy-approver" in refused_with(lacking, "APPROVAL_MISSING")
    told(
        people("policy", "submit", *second, *BECAUSE, "--actor", AUTHOR, "--json"), "policy submit"
    )
    shown = done(people("policy", "status", "main", "--actor", PAT))
    assert "main version 2: submitted." in shown
    assert "main version 1 asks for 2 policy-approver: 0 given." in shown
    assert f"Could approve: {PAT}, {SAM}." in shown
    line = ("policy", "approve", *second, "--digest", digest[:12], "--json")
    told(people(*line, "--actor", PAT), "policy approve")
    withdrawn = people("policy", "withdraw", *second, *WHY, "--actor", PAT, "--json")
    told(withdrawn, "policy withdraw")
    told(people("policy", "reject", *second, *WHY, "--actor", SAM, "--json"), "policy reject")
    assert "main version 2: rejected." in done(people("policy", "status", "main"))
    done(people("policy", "submit", *second, *BECAUSE, "--actor", AUTHOR))
    for actor in (PAT, SAM):
        done(people(*line, "--actor", actor))
    assert "main version 2: approved." in done(people("policy", "status", "main"))
    done(people("policy", "activate", *second, *BECAUSE, "--actor", PAT))
    back = people("policy", "rollback", "main", "1", *WHY, "--actor", PAT, "--json")
    told(back, "policy rollback")
    assert "main version 2: rolled back." in done(people("policy", "status", "main"))
    told(people("policy", "retire", *second, *WHY, "--actor", PAT, "--json"), "policy retire")
    assert "main version 2: retired." in done(people("policy", "status", "main"))
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def test_an_approval_names_the_digest_that_was_read(people: Run, tmp_path: Path) -> None:
    draft(people, tmp_path, "Second")
    done(people("policy", "submit", "main", "2", *BECAUSE, "--actor", AUTHOR))
    wrong = people("policy", "approve", "main", "2", "--digest", "ab" * 6, "--actor", PAT)
    assert wrong.code == 2
    assert "main version 2 has the digest" in wrong.err


def test_an_author_without_the_right_does_not_approve(people: Run, tmp_path: Path) -> None:
    digest = draft(people, tmp_path, "Second")
    done(people("policy", "submit", "main", "2", *BECAUSE, "--actor", AUTHOR))
    refused = people("policy", "approve", "main", "2", "--digest", digest, "--actor", AUTHOR)
    refused_with(refused, "ACTOR_NOT_AUTHORISED")
    done(people("authority", "grant", AUTHOR, APPROVER, *WHY, "--actor", ANA))
    refused = people("policy", "approve", "main", "2", "--digest", digest, "--actor", AUTHOR)
    assert "is its author" in refused_with(refused, "GOVERNANCE_REFUSED")


def test_an_emergency_is_loud_until_it_is_ratified(people: Run, tmp_path: Path) -> None:
    digest = draft(people, tmp_path, "Second")
    rush = ("policy", "activate", "main", "2", *BECAUSE, "--emergency", "--actor", PAT)
    assert "is in force, at position" in done(people(*rush))
    assert "2 EMERGENCY, UNRATIFIED" in done(people("policy", "list"))
    shown = done(people("policy", "show", "main"))
    assert "is in force for the whole ledger, in an emergency" in shown
    assert "#   It is not ratified." in shown
    assert "main version 2: in force by an emergency." in done(people("policy", "status", "main"))
    assert "main version 2 is in force by an emergency" in people("doctor").out
    early = people("policy", "ratify", "main", "2", "--actor", PAT)
    assert "asks for 2 policy-approver" in refused_with(early, "GOVERNANCE_REFUSED")
    line = ("policy", "approve", "main", "2", "--digest", digest)
    assert "has submitted or activated it" in people(*line, "--actor", PAT).err
    done(people("authority", "register", "users/kim", "--person", "staff-9"))
    done(people("authority", "grant", "users/kim", APPROVER, *WHY))
    for actor in (SAM, "users/kim"):
        done(people(*line, "--actor", actor))
    told(people("policy", "ratify", "main", "2", "--actor", PAT, "--json"), "policy ratify")
    assert "EMERGENCY" not in done(people("policy", "list"))
    assert "emergency" not in people("doctor").out


def test_a_time_is_set_and_withdrawn(people: Run, tmp_path: Path) -> None:
    digest = draft(people, tmp_path, "Second")
    done(people("policy", "submit", "main", "2", *BECAUSE, "--actor", AUTHOR))
    for actor in (PAT, SAM):
        line = ("policy", "approve", "main", "2", "--digest", digest, "--actor", actor)
        done(people(*line))
    status = people("policy", "status", "main", "--json").json
    until = status["approvals"][0]["expires_at"]
    late = ("policy", "activate", "main", "2", *BECAUSE, "--at", until, "--actor", PAT)
    assert "it has expired" in refused_with(people(*late), "APPROVAL_MISSING")
    soon = (datetime.fromisoformat(until) - timedelta(hours=1)).isoformat()
    at = ("policy", "activate", "main", "2", *BECAUSE, "--at", soon, "--actor", PAT)
    said = done(people(*at))
    assert "is to come into force at" in said
    position = said.rpartition(" ")[2].rstrip(".\n")
    assert "main version 2: scheduled." in done(people("policy", "status", "main"))
    pending = f"to come into force for the whole ledger at {soon[:16].replace('T', ' ')}"
    by = f"set by {PAT} at position {position}"
    for command in (("list",), ("show", "main"), ("status", "main")):
        told_of = done(people("policy", *command))
        assert pending in told_of.replace("T", " "), told_of
        assert by in told_of
        before = done(people("policy", *command, "--as-of", str(int(position) - 1)))
        assert "to come into force" not in before
        assert by in done(people("policy", *command, "--as-of", position))
    away = ("policy", "withdraw", "main", "2", "--schedule", *WHY, "--actor", PAT)
    assert "The time of main version 2 is withdrawn" in done(people(*away))
    assert "to come into force" not in done(people("policy", "list"))
    assert by in done(people("policy", "list", "--as-of", position))
    again = ("policy", "activate", "main", "2", *BECAUSE, "--at", "2020-01-01", "--actor", PAT)
    assert "has come already" in refused_with(people(*again), "FIELD_INVALID")
    unread = people("policy", "activate", "main", "2", *BECAUSE, "--at", "soon", "--actor", PAT)
    assert (unread.code, "--at: 'soon' is not a time" in unread.err) == (2, True)
    both = people("policy", "activate", "main", "2", *BECAUSE, "--emergency", "--at", soon)
    assert both.code == 2


def test_policies_are_shown_as_of_a_position_or_a_time(people: Run, tmp_path: Path) -> None:
    first = done(people("policy", "list"))
    (activated,) = people("policy", "show", "main", "--json").json["policy"]["activations"]
    position = str(activated["position"])
    draft(people, tmp_path, "Second")
    commands = (("list",), ("show", "main"), ("status", "main"))
    shown = (
        ("Second", "First"),
        ("# policies/main/versions/2: Second", "# policies/main/versions/1: First"),
        ("main version 2: draft.", "main version 1: active."),
    )
    for command, (now, then) in zip(commands, shown, strict=True):
        assert now in done(people("policy", *command))
        assert then in done(people("policy", *command, "--as-of", position))
        beyond = people("policy", *command, "--as-of", "99999")
        assert (beyond.code, "[POSITION_BEYOND_HEAD]" in beyond.err) == (1, True), beyond.err
        unread = people("policy", *command, "--as-of", "soon")
        assert (unread.code, "--as-of: 'soon' is not a moment" in unread.err) == (2, True)
    assert done(people("policy", "list", "--as-of", position)) == first
    assert "main" not in done(people("policy", "list", "--as-of", "2020-01-01"))
    for at, *asked in (
        ("2020-01-01", "show", "main"),
        ("2020-01-01", "status", "main"),
        (position, "show", "main", "--version", "2"),
        (position, "status", "main", "--version", "2"),
    ):
        ran = people("policy", *asked, "--as-of", at)
        assert (ran.code, "[POLICY_UNKNOWN]" in ran.err) == (1, True), ran.err


def test_a_draft_says_the_command_by_which_it_goes_on(people: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "policy.json")
    for policy, version in (("main", 2), ("other", 1)):
        said = done(people("policy", "draft", policy, path, *BECAUSE, "--actor", AUTHOR))
        step = f"decision-ledger policy submit {policy} {version} --rationale …"
        assert f"To have it approved, as main asks for: {step}" in said


def test_a_strict_draft_refuses_warnings(people: Run, tmp_path: Path) -> None:
    path = tmp_path / "doubtful.json"
    path.write_text(
        governed_text((APPROVER, 2)).replace('"half_life": "4d"', '"half_life": "400d"')
    )
    line = ("policy", "draft", "main", str(path), *BECAUSE, "--actor", AUTHOR)
    ran = people(*line, "--strict")
    assert (ran.code, "half_life: is too long" in ran.err) == (1, True)
    assert "[HALF_LIFE_TOO_LONG]" in people(*line).err
