"""The review of a policy from the command line: it is overdue, its pack is read, and one signs.

Method: a served ledger whose policy is reviewed every second; the test has the service look.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.administered import ANA, NAMED, WHY, done, refused_with
from tests.cli.conftest import Ran, Run, run_line
from tests.support.audits import audited
from tests.support.served import ORIGIN, serving
from tests.support.server_process import until
from tests.support.staffed import APPROVER, governed_text
from tools.shapes import SHAPES, fields_of

AUTHOR, PAT = "users/author", "users/pat"
BECAUSE = ("--rationale", "Because.")


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Path]]:
    """Run a command on a ledger with an author and an approver, and a policy in force."""
    folder = tmp_path_factory.mktemp("reviewed")
    with serving(folder, authentication__development=True) as served:

        def run(*args: str) -> Ran:
            actor = () if "--actor" in args else ("--actor", ANA)
            return run_line(*args, "--server", served.server.address, *actor)

        done(run("ledger", "create", ORIGIN, *NAMED, "--actor", "users/ops"))
        for number, (actor, role) in enumerate(
            {AUTHOR: "policy-author", PAT: APPROVER}.items(), start=2
        ):
            done(run("authority", "register", actor, "--person", f"staff-{number}"))
            done(run("authority", "grant", actor, role, *WHY))
        kind = ("--kind", "performance", "--unit", "nats", "--direction", "higher-is-worse")
        done(run("signal", "define", "loss", *kind, "--meaning", "Loss.", "--actor", AUTHOR))
        path = folder / "policy.json"
        path.write_text(governed_text((APPROVER, 1), title="Fraud", review_every="1s"))
        for _ in range(2):
            done(run("policy", "draft", "main", str(path), *BECAUSE, "--actor", AUTHOR))
        done(run("policy", "activate", "main", "1", *BECAUSE, "--actor", PAT))
        until(served.service.ledger(ORIGIN).governor.run_due)
        yield run, folder


def test_a_review_is_overdue_its_pack_is_read_and_a_person_signs(
    reviewed: tuple[Run, Path],
) -> None:
    run, folder = reviewed
    assert "REVIEW OVERDUE" in done(run("policy", "list"))
    assert "and its review is overdue" in done(run("policy", "show", "main"))
    assert "overdue since position" in done(run("policy", "status", "main", "--version", "1"))
    assert "the review of main version 1 is overdue" in run("doctor").out
    page = folder / "pack.html"
    ran = run("policy", "review", "main", "--html", str(page), "--json")
    assert tuple(ran.json) == fields_of(SHAPES["policy review"])
    pack, digest, as_of = (ran.json[name] for name in ("pack", "digest", "as_of"))
    assert (pack["version"], pack["as_of"]) == (1, as_of)
    told = done(run("policy", "review", "main/1", "--as-of", str(as_of)))
    assert told.startswith("Review of main version 1: Fraud\n")
    assert digest in told
    assert "Rules:" in told
    assert "the whole ledger (0 models)" in told
    shown = page.read_text()
    assert "Review of main version 1: Fraud" in shown
    assert digest in shown
    line = ("policy", "sign-off", "main", "1", "--as-of", str(as_of), "--reason", "It is right.")
    wrong = run(*line, "--digest", "ab" * 32, "--actor", PAT)
    assert (wrong.code, digest in wrong.err) == (2, True)
    own = run(*line, "--digest", digest[:12], "--actor", AUTHOR)
    refused_with(own, "ACTOR_NOT_AUTHORISED")
    follow = ("--follow-up", "main/2", "--json")
    signed = run(*line, "--digest", digest[:12], *follow, "--actor", PAT)
    assert tuple(signed.json) == fields_of(SHAPES["policy sign-off"])
    again = run(*line, "--digest", digest, "--actor", PAT)
    assert "ends before the time that is reviewed" in refused_with(again, "GOVERNANCE_REFUSED")
    report = audited(folder / "ledger.sqlite")
    assert report.passed, report.text()


def test_a_policy_that_is_not_in_force_has_no_pack(reviewed: tuple[Run, Path]) -> None:
    run, _ = reviewed
    refused_with(run("policy", "review", "main/2"), "POLICY_NOT_IN_FORCE")
    refused_with(run("policy", "review", "main", "--model", "m1"), "POLICY_NOT_IN_FORCE")
    assert run("policy", "review", "not a name").code == 2
    late = ("--since", "2026-03-02", "--until", "2026-03-01")
    assert "until: must be after since" in run("policy", "review", "main", *late).err
