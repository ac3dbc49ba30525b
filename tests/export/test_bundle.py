"""What is written verifies, is the same every time, and is taken up again wherever it was left.

Method: bundles of a small ledger in memory, of every kind. Interruptions are files cut at any line
or in the middle of one, and files with damage in them; the finished folder must be the same bytes
as one that was written in one go. Foreign programs (sha256sum, the stand-alone verifier) look too.
"""

import hashlib
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.keys import VerifierKey
from ledger.errors import LedgerError, Reason
from ledger.export import files
from ledger.export.archive import Archive
from ledger.export.bundle import BundleWriter
from ledger.export.files import EVENTS, KEYS, PROOFS, REPORT, SCOPE, VERIFIER, open_bundle
from ledger.export.missing_bodies import MissingBodies
from ledger.export.scope import BundlePlan, ScopeError, Withholding
from ledger.export.verify import VerifiedBundle, verify_bundle
from ledger.operations.verification.bundle_report import SAME, with_report
from tests.support.bundles import LedgerInMemory, small_ledger

ROOT = Path(__file__).resolve().parents[2]
SECRET = Withholding(types=frozenset({"signal.observed.v1"}), reason="trade secret")
PLANS: dict[str, dict[str, Any]] = {
    "full": {},
    "withheld": {"withholding": SECRET},
    "range": {"kind": "range", "first": 3, "last": 9},
    "stream": {"kind": "stream", "stream": "models/hotels"},
    "ledger-stream": {"kind": "stream", "stream": "ledger"},
}


def plan_of(made: LedgerInMemory, name: str) -> BundlePlan:
    if name != "ledger-stream":
        return made.plan(**PLANS[name])
    sealed = next(one for one in reversed(made.links) if one.type == "streams.sealed.v1")
    last = max(one.position for one in made.links[: sealed.position - 1] if one.stream == "ledger")
    return BundlePlan(
        "export-1", "stream", 1, last, "ledger", "2026-02-01T12:00:00.000000Z", "users/a"
    )


def verified(path: Path, made: LedgerInMemory) -> VerifiedBundle:
    return verify_bundle(path, [VerifierKey.parse(made.vkey)])


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in open_bundle(folder).sizes}


@pytest.mark.parametrize("name", PLANS)
def test_a_bundle_verifies_as_a_folder_and_as_an_archive(name: str, tmp_path: Path) -> None:
    made = small_ledger()
    written = made.write(tmp_path / "bundle", plan_of(made, name))
    archived = Archive(tmp_path / "bundle", "export-1").read(0)
    (tmp_path / "bundle.tar").write_bytes(b"".join(archived))
    folder, archive = (verified(tmp_path / each, made) for each in ("bundle", "bundle.tar"))
    assert folder == archive
    assert folder.events == written.events
    assert folder.manifest_digest == written.manifest_digest
    assert (tmp_path / "bundle.tar").stat().st_size == written.archive_bytes


@pytest.mark.parametrize("name", PLANS)
def test_the_report_of_every_plan_is_rendered_again_and_is_the_same(
    name: str, tmp_path: Path
) -> None:
    """Method: withheld, erased and unknown events count alike for its writer and its reader."""
    made = small_ledger()
    made.write(tmp_path, plan_of(made, name))
    found = with_report(open_bundle(tmp_path), verified(tmp_path, made))
    assert found.report_verdict == SAME


@pytest.mark.parametrize("name", PLANS)
def test_the_stand_alone_verifier_agrees(name: str, tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path / "bundle", plan_of(made, name))
    archived = Archive(tmp_path / "bundle", "export-1").read(0)
    (tmp_path / "bundle.tar").write_bytes(b"".join(archived))
    for path in ("bundle", "bundle.tar"):
        command = [sys.executable, str(ROOT / "tools" / "verify_bundle.py"), path]
        found = subprocess.run(
            [*command, "--vkey", made.vkey],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        assert found.stdout


def test_sha256sum_finds_every_file_whole(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path, plan_of(made, "stream"))
    command = ["sha256sum", "--check", "--strict", "tagmanifest-sha256.txt", "manifest-sha256.txt"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count(": OK") == 3 + 8


def test_what_is_missing_is_told_in_three_counts(tmp_path: Path) -> None:
    made = small_ledger()
    counted = {}
    for name in PLANS:
        made.write(tmp_path / name, plan_of(made, name))
        counted[name] = verified(tmp_path / name, made).missing
    assert counted == {
        "full": MissingBodies(erased_proven=1, erased_stated=0, withheld=0),
        "withheld": MissingBodies(erased_proven=1, erased_stated=0, withheld=4),
        "range": MissingBodies(erased_proven=1, erased_stated=0, withheld=0),
        "stream": MissingBodies(erased_proven=0, erased_stated=1, withheld=0),
        "ledger-stream": MissingBodies(erased_proven=0, erased_stated=0, withheld=0),
    }


def test_types_that_are_not_known_are_hashed_counted_and_named(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path)
    assert verified(tmp_path, made).unknown_types == {"job.started.v1": 1}


@pytest.mark.parametrize("name", PLANS)
def test_the_same_plan_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    made = small_ledger()
    for place in ("first", "second"):
        made.write(tmp_path / place, plan_of(made, name))
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    archives = [
        b"".join(Archive(tmp_path / place, "export-1").read(0)) for place in ("first", "second")
    ]
    assert archives[0] == archives[1]


def test_an_archive_can_be_read_from_any_byte(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path)
    archive = Archive(tmp_path, "export-1")
    whole = b"".join(archive.read(0))
    assert len(whole) == archive.size
    for offset in [*range(0, archive.size, 333), archive.size - 1, archive.size]:
        pieces = list(archive.read(offset, chunk=1_000))
        assert b"".join(pieces) == whole[offset:]
        assert all(pieces)


def test_tar_unpacks_an_archive(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path / "bundle")
    archived = Archive(tmp_path / "bundle", "export-1").read(0)
    (tmp_path / "bundle.tar").write_bytes(b"".join(archived))
    subprocess.run(["tar", "xf", "bundle.tar"], cwd=tmp_path, check=True)
    assert contents(tmp_path / "export-1") == contents(tmp_path / "bundle")
    subprocess.run(["tar", "cf", "again.tar", "export-1"], cwd=tmp_path, check=True)
    assert verified(tmp_path / "again.tar", made).events == made.size


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("cut", ["line", "middle", "damage", "nothing", "proofs"])
def test_an_interrupted_bundle_is_taken_up_where_it_holds(
    name: str, cut: str, tmp_path: Path
) -> None:
    made = small_ledger()
    plan = plan_of(made, name)
    made.write(tmp_path / "whole", plan)
    whole = contents(tmp_path / "whole")
    writer = made.writer(tmp_path / "left", plan)
    rows = made.rows(plan, writer.resume())
    writer.add(rows[:2])
    writer.close()
    lines = whole[EVENTS].splitlines(keepends=True)
    left = {
        "line": b"".join(lines[:2]),
        "middle": b"".join(lines[:1]) + lines[1][:-5],
        "damage": lines[0] + lines[1].replace(b'"recorded_at":"2', b'"recorded_at":"3'),
        "nothing": b"",
        "proofs": b"".join(lines[:2]),
    }[cut]
    (tmp_path / "left" / EVENTS).write_bytes(left)
    if cut == "proofs" and PROOFS in whole:
        proofs = whole[PROOFS].splitlines(keepends=True)
        (tmp_path / "left" / PROOFS).write_bytes(proofs[0])
    writer = made.writer(tmp_path / "left", plan)
    after = writer.resume()
    kept = {"line": 2, "nothing": 0, "proofs": 1 if PROOFS in whole else 2}.get(cut, 1)
    positions = [row[0] for row in rows]
    assert after == (positions[kept - 1] if kept else plan.first_position - 1)
    writer.add(made.rows(plan, after))
    made.finish(writer, plan)
    assert contents(tmp_path / "left") == whole


def test_a_body_that_is_to_be_withheld_does_not_survive_in_what_is_taken_up(tmp_path: Path) -> None:
    made = small_ledger()
    open_plan, closed_plan = made.plan(), made.plan(withholding=SECRET)
    writer = made.writer(tmp_path, open_plan)
    writer.add(made.rows(open_plan, writer.resume()))
    writer.close()
    writer = made.writer(tmp_path, closed_plan)
    assert writer.resume() == 2  # the first observation is the third event
    writer.add(made.rows(closed_plan, 2))
    made.finish(writer, closed_plan)
    assert b'"value":"0.75"' not in (tmp_path / EVENTS).read_bytes()
    assert verified(tmp_path, made).missing.withheld == 4


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        (4, "2026-01-01T00:00:09.000000Z", "event hash"),
        (5, b"{}", "body hash"),
        (6, bytes(16), "body hash"),
        (7, bytes(32), "event hash"),
        (8, bytes(32), "previous hash"),
        (9, bytes(32), "event hash"),
        (2, 7, "event hash"),
        (5, "text", "must both be bytes"),
    ],
)
def test_a_damaged_ledger_is_never_exported(
    column: int, value: object, why: str, tmp_path: Path
) -> None:
    made = small_ledger()
    plan = made.plan()
    writer = made.writer(tmp_path, plan)
    rows = made.rows(plan, writer.resume())
    row = list(rows[2])
    row[column] = value
    with pytest.raises(LedgerError, match=why) as refusal:
        writer.add([*rows[:2], tuple(row), *rows[3:]])
    writer.close()
    assert refusal.value.reason is Reason.CHAIN_BROKEN
    assert refusal.value.metadata["position"] == "3"


@pytest.mark.parametrize("gone", [0, 4, 10])
def test_a_ledger_that_lacks_an_event_is_never_exported(gone: int, tmp_path: Path) -> None:
    made = small_ledger()
    plan = made.plan()
    writer = made.writer(tmp_path, plan)
    rows = made.rows(plan, writer.resume())

    def go_on() -> None:
        writer.add(rows[:gone] + rows[gone + 1 :])
        made.finish(writer, plan)

    with pytest.raises(LedgerError) as refusal:
        go_on()
    writer.close()
    assert refusal.value.metadata["position"] == str(gone + 1)


def test_events_that_were_rewritten_with_all_their_hashes_are_not_exported(tmp_path: Path) -> None:
    made, other = small_ledger(), LedgerInMemory()
    while other.size < made.size:
        other.observe("fares", "0.1")
    writer = made.writer(tmp_path, made.plan())
    writer.resume()
    writer.add(other.rows(other.plan()))
    with pytest.raises(LedgerError, match="root that was signed"):
        made.finish(writer, made.plan())
    writer.close()


def test_a_part_of_events_that_are_not_in_the_tree_is_not_exported(tmp_path: Path) -> None:
    made, other = small_ledger(), LedgerInMemory()
    while other.size < made.size:
        other.observe("fares", "0.1")
    plan = made.plan("range", first=4, last=6)
    writer = made.writer(tmp_path, plan)
    writer.resume()
    with pytest.raises(LedgerError, match="the tree has another event there") as refusal:
        writer.add(other.rows(plan))
    writer.close()
    assert refusal.value.metadata["position"] == "4"


def test_tiles_of_another_tree_prove_nothing(tmp_path: Path) -> None:
    made, other = small_ledger(), LedgerInMemory()
    while other.size < made.size:
        other.observe("fares", "0.1")
    plan = made.plan("range", first=3, last=5)
    with pytest.raises(LedgerError, match="the checkpoint's root"):
        BundleWriter(tmp_path, plan, made.checkpoint(), other.prover())


@pytest.mark.parametrize(
    ("types", "streams", "reason", "why"),
    [
        ({"streams.sealed.v1"}, set(), "because", "neither erased nor withheld"),
        ({"key.revoked.v1"}, set(), "because", "neither erased nor withheld"),
        ({"signal.observed.v1"}, set(), " ", "a reason belongs"),
        (set(), set(), "because", "a reason belongs"),
        (set(), {"models/a"}, "erased", "what the ledger says"),
    ],
)
def test_bodies_are_withheld_with_a_reason_and_not_all_can_be(
    types: set[str], streams: set[str], reason: str, why: str
) -> None:
    with pytest.raises(ScopeError, match=why):
        Withholding(frozenset(types), frozenset(streams), reason)


@pytest.mark.parametrize("name", [KEYS, REPORT, SCOPE, VERIFIER])
def test_a_file_that_no_verifier_would_read_is_not_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = small_ledger()
    written = made.write(tmp_path / "bundle", made.plan())
    assert written.events == made.size
    size = (tmp_path / "bundle" / name).stat().st_size
    monkeypatch.setattr(files, "LARGER_BYTES_MAX", {name: size})
    made.write(tmp_path / "again", made.plan())
    monkeypatch.setattr(files, "LARGER_BYTES_MAX", {name: size - 1})
    with pytest.raises(OSError, match=f"{name}: .* bytes are more than {size - 1}"):
        made.write(tmp_path / "more", made.plan())


def test_the_digest_that_is_recorded_is_that_of_the_manifest(tmp_path: Path) -> None:
    made = small_ledger()
    written = made.write(tmp_path)
    manifest = (tmp_path / "manifest-sha256.txt").read_bytes()
    assert hashlib.sha256(manifest).digest() == written.manifest_digest


def test_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    made = LedgerInMemory()
    for number in range(2_400):
        made.observe(f"m-{number % 20}")

    def peak(size: int) -> int:
        plan = made.plan(last=size)
        checkpoint, rows = made.checkpoint(size), made.rows(plan)
        tracemalloc.start()
        writer = BundleWriter(tmp_path / str(size), plan, checkpoint)
        writer.resume()
        for start in range(0, size, 100):
            writer.add(rows[start : start + 100])
        made.finish(writer, plan, size=size)
        verified(tmp_path / str(size), made)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(200)  # what is imported and compiled at the first use counts for none
    assert peak(2_400) < peak(600) * 1.2
