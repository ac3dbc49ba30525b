"""Where witnesses are named, only their word counts: a quorum that is missing ends in 4.

Method: one witness has cosigned what the ledger signed, another has not; each command that takes
something for verified is asked with a policy of the first and with one of both. Commands about the
log alone are asked likewise in `test_proving.py`; that none is forgotten is read off the options.
"""

import re
import shutil
from pathlib import Path

import pytest

from ledger.application.jobs.proposals import JobSpec
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.chain.cosignature import CosigningKey
from ledger.cli.exits import Exit
from tests.cli.conftest import Run
from tests.support.job_worlds import BOB, RECIPE
from tests.support.served import ORIGIN, Served
from tests.support.world import ANA
from tools import reference

HERE = CosigningKey("here.example", bytes(32))
ABSENT = CosigningKey("absent.example", bytes([2]) * 32)
SHORT = ("--deadline", "2")  # how long a quorum is waited for
ASKED_HERE = {
    "audit answer",
    "audit run",
    "compliance export",
    "decision receipt",
    "export create",
    "job report",
    "ledger adopt",
    "log publish",
    "verify",
}
ASKED_ELSEWHERE = {
    "log checkpoint",
    "log consistency",
    "log prove",
}
BY_A_KEY_ALONE = {"run verify"}
"""A statement has no cosignatures with it: a key says whose it is, and nothing else does."""
OF_LOGS_ONLY = {"witness serve"}
"""Takes one for its `log` lines: no quorum is asked of it."""


def options() -> dict[str, set[str]]:
    """Return every command with its options."""
    found = {}
    for name, command in reference.commands():
        found[name] = {option for parameter in command.params for option in parameter.opts}
    return found


def test_every_command_that_takes_a_key_takes_a_policy_and_is_asked() -> None:
    taking = {name for name, found in options().items() if "--witness-policy" in found}
    assert taking == ASKED_HERE | ASKED_ELSEWHERE | OF_LOGS_ONLY
    assert {name for name, found in options().items() if "--vkey" in found} == (
        ASKED_HERE | ASKED_ELSEWHERE | BY_A_KEY_ALONE
    )


def policy(path: Path, key: str, *witnesses: CosigningKey) -> str:
    """Write a policy that asks for all of these witnesses."""
    lines = [f"log {key}"]
    lines += [f"witness w{at} {one.cosigner_key}" for at, one in enumerate(witnesses)]
    lines += [f"group all all {' '.join(f'w{at}' for at in range(len(witnesses)))}", "quorum all"]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def propose(served: Served) -> None:
    """Propose a job in the ledger that is served."""
    ledger = served.service.ledger()
    drafted = ledger.recipes.draft(ANA, "monthly", RECIPE, "because")
    ledger.recipes.approve(BOB, ChosenRecipe("monthly", drafted.version), "fine")
    ledger.job_proposals.propose(ANA, JobSpec("fares", "monthly", 0, "it got worse", "j1"))


@pytest.fixture
def cosigned(told: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have one witness cosign whatever is signed from now on; return the ledger's key."""
    store = served.service.store
    save = store.proofs.save_checkpoint

    def saved(ledger: str, size: int, note: str, *, after: int) -> bool:
        is_kept = save(ledger, size, note, after=after)
        text = note.rpartition("\n\n")[0].encode() + b"\n"
        line = HERE.cosign(text, 1_767_225_600).line()
        store.proofs.add_cosignature(ORIGIN, size, HERE.name, HERE.cosigner_key.key_id, line)
        return is_kept

    monkeypatch.setattr(store.proofs, "save_checkpoint", saved)
    return str(told("vkey", "--json").json["verifier_key"])


def test_what_is_verified_has_the_quorum_that_is_asked_for(
    told: Run, run: Run, served: Served, cosigned: str, folder: Path, tmp_path: Path
) -> None:
    propose(served)
    good = policy(tmp_path / "good", cosigned, HERE)
    bad = policy(tmp_path / "bad", cosigned, HERE, ABSENT)
    bundle, receipt = str(tmp_path / "bundle"), str(tmp_path / "receipt.json")
    kept, out = str(tmp_path / "kept"), str(tmp_path / "out")
    assert told("log", "checkpoint", "--output", kept).code == 0
    assert told("export", "create", bundle).code == 0
    assert told("decision", "receipt", "fares", receipt).code == 0
    database = str(folder / "ledger.sqlite")
    alone = tmp_path / "alone"  # no server has it
    alone.mkdir()
    for file in folder.glob("ledger.sqlite*"):
        if file.is_file():
            shutil.copy(file, alone)
    lines: list[tuple[Run, tuple[str, ...]]] = [
        (run, ("verify", bundle)),
        (run, ("verify", receipt)),
        (run, ("verify", database)),
        (told, ("verify",)),
        (run, ("compliance", "export", out, "--bundle", bundle)),
        (run, ("audit", "answer", "refusals-and-silence", "--model", "fares", "--bundle", bundle)),
        (run, ("job", "report", "j1", "--bundle", bundle)),
        (run, ("audit", "run", database)),
        (run, ("audit", "run", bundle)),
        (told, ("audit", "run")),
        (told, ("audit", "answer", "whole-history", "--checkpoint", kept, *SHORT)),
        (told, ("export", "create", f"{out}-{{}}.tar")),
        (told, ("decision", "receipt", "fares", f"{out}-{{}}.json")),
        (run, ("ledger", "adopt", str(alone / "ledger.sqlite"))),
        (told, ("log", "publish", f"{out}-{{}}-served", *SHORT)),
        (run, ("log", "publish", f"{out}-{{}}-stored", "--db", database)),
    ]
    for ask, line in lines:
        ran = ask(*(word.format("good") for word in line), "--witness-policy", good)
        assert ran.code == 0, (line, ran.err)
        ran = ask(*(word.format("bad") for word in line), "--witness-policy", bad)
        assert ran.code == Exit.INTEGRITY, (line, ran.out, ran.err)
        assert re.search("cosigned by w0|not yet by w1", ran.err + ran.out), (line, ran.err)
        late = (*(word.format("late") for word in line), "--witness-policy", good)
        ran = ask(*late, "--max-age", "1d")
        assert ran.code == Exit.INTEGRITY, (line, ran.out, ran.err)
        said = "not counted: w0 at 2026-01-01T00:00:00Z, more than 1d before"
        assert said in ran.err + ran.out, (line, ran.err)
    asked = {"verify" if line[0] == "verify" else f"{line[0]} {line[1]}" for _, line in lines}
    assert asked == ASKED_HERE
    for side in ("served", "stored"):
        assert (tmp_path / f"out-good-{side}" / "checkpoint").exists()
        assert not (tmp_path / f"out-bad-{side}" / "checkpoint").exists()
