"""What earlier code wrote verifies and goes on: ledgers, bundles, receipts, proofs, trust files.

Method: two small ledgers were written with the commands of earlier revisions, one under rules/1 and
one under rules/2, each with a rotated key, an erased body and two plans. Their files are kept as
they were; what is expected of them was printed then.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from tests.cli.conftest import Run
from tests.support.served import serving

WRITTEN = Path(__file__).with_name("written_before")
VERIFIER = Path(__file__).parents[2] / "tools" / "verify_bundle.py"
EVENTS, SIZE = 35, 32


@dataclass(frozen=True)
class Written:
    """The files of one ledger, and what was printed of it when they were written."""

    folder: Path
    origin: str
    root: str
    event_hash: str

    @property
    def vkey(self) -> str:
        return (self.folder / "vkey").read_text().strip()


EXPECTED = {
    "rules_1": (
        "example.com/rules-1",
        "be1992c2e0eff7ddada71f3b84d4dd914dd501afcb9a3cb15242b41b70ca6421",
        "680e628e995166f240bcbb1c615df3ab1b86364adf5d92fdcb178a2524236160",
    ),
    "rules_2": (
        "example.com/rules-2",
        "3ffef4af5ccb119a441a154181c99ac0e85726e718e85ee5fb9f2f4b24ca32c5",
        "5dd41583d45d88a0acdf0a7f75982b5e3d4e07f061a0b1a3d94b5c1152e0d4e4",
    ),
}


@pytest.fixture(params=list(EXPECTED))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    folder = tmp_path / "written"
    with tarfile.open(WRITTEN / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return Written(folder, *EXPECTED[request.param])


@pytest.mark.parametrize("name", ["bundle.tar", "part.tar", "receipt.tar", "ledger.db"])
def test_it_verifies(run: Run, written: Written, name: str) -> None:
    ran = run("verify", str(written.folder / name), "--vkey", written.vkey)
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{written.origin}: ")


def test_its_bundle_has_the_root_of_then_by_the_stand_alone_verifier_too(
    run: Run, written: Written
) -> None:
    bundle = str(written.folder / "bundle.tar")
    found = run("verify", bundle, "--vkey", written.vkey, "--json").json
    assert (found["checkpoint_size"], found["root"]) == (SIZE, written.root)
    unread = "not compared: it does not say which program wrote it"
    assert found["bundle"]["report"] == unread, "it was rendered by other templates"
    alone = subprocess.run(
        [sys.executable, VERIFIER, bundle, "--vkey", written.vkey, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(alone.stdout)
    assert (said["size"], said["root"]) == (SIZE, written.root)


def test_its_proof_of_an_event_holds_for_the_hash_of_then(run: Run, written: Written) -> None:
    proof = str(written.folder / "event.tlog-proof")
    line = ("verify", proof, "--vkey", written.vkey, "--event-hash")
    assert run(*line, written.event_hash).code == 0
    other = hashlib.sha256(bytes.fromhex(written.event_hash)).hexdigest()
    assert run(*line, other).code == Exit.INTEGRITY


def test_an_audit_of_it_finds_nothing(run: Run, written: Written) -> None:
    ran = run("audit", "run", str(written.folder / "ledger.db"), "--vkey", written.vkey, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["findings"] == []
    assert ran.json["size"] == EVENTS


def test_it_is_served_replays_and_goes_on_for_a_client_that_has_followed_it(
    run: Run, written: Written, tmp_path: Path
) -> None:
    shutil.move(written.folder / "ledger.db", tmp_path / "ledger.sqlite")
    shutil.move(written.folder / "ledger.db.key", tmp_path / "ledger.sqlite.key")
    remembered = Path(os.environ["XDG_STATE_HOME"]) / "decision-ledger"
    remembered.mkdir(parents=True)
    shutil.move(written.folder / "trust.json", remembered)
    adopted = run("ledger", "adopt", str(tmp_path / "ledger.sqlite"), "--vkey", written.vkey)
    assert adopted.code == 0, adopted.err
    with serving(tmp_path) as served:

        def told(*line: str) -> str:
            ran = run("--server", served.server.address, "--actor", "users/ada", *line)
            assert ran.code == 0, ran.err
            return ran.out

        replays = told("decision", "replay", "--all").splitlines()[-1]
        assert replays.startswith("5 identical, 0 divergent, 5 not replayable")
        rows = tmp_path / "may.csv"
        rows.write_text(
            "model,signal,value,observed_at,sample_size\n"
            "churn,log-loss,0.40,2026-03-20T12:00:00Z,300\n"
        )
        told("signal", "submit", str(rows))
        told("evaluate", "churn")
        assert "7 identical, 0 divergent" in told("decision", "replay", "--all")
        assert "Signed over " in told("verify")
        ranked = [line.split()[1] for line in told("priorities").splitlines()[1:3]]
        assert ranked == ["churn", "fraud-eu"]
