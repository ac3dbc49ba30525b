"""The stand-alone verifier is one file that runs anywhere, and says what it found and where.

Method: it is copied into an empty folder and started there as a program, by an interpreter that
sees no installed package; exit codes, the one line of a refusal, the JSON, both cores, and the same
checks by hand with sha256sum and openssl.
"""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chained import (
    ORIGIN,
    Chained,
    canonical,
    log_key,
    merkle_root,
    relink,
    sha,
    witness_key,
)
from tests.support.pages import files_of_project
from tests.verifier.conftest import KINDS, write_kind
from tests.verifier.editing import EVENTS
from tests.verifier.writing import ROOT, TOOL, bag, write_bundle

VKEY = log_key(1).vkey
WITNESSES = [witness_key(n) for n in (1, 2, 3)]


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that starts the program in an empty folder of its own."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(TOOL, alone / "verify.py")

    def call(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", "-W", "error", "verify.py", *map(str, arguments)]
        return subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def whole(ledger: Chained, tmp_path: Path) -> Path:
    """A full bundle, for what is judged before its kind is read."""
    return write_kind("full", ledger, tmp_path / "bundle")


def test_it_is_one_file_of_the_standard_library() -> None:
    text = TOOL.read_text()
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= sys.stdlib_module_names
    assert "ledger" not in imported


def test_its_digest_is_published() -> None:
    published = (ROOT / "tools" / "verify_bundle.sha256").read_text()
    digest = hashlib.sha256(TOOL.read_bytes()).hexdigest()
    assert published == f"{digest}  verify_bundle.py\n", "write the file's new digest there"


def test_its_digest_is_published_in_one_place() -> None:
    digest = (ROOT / "tools" / "verify_bundle.sha256").read_text()[:64]
    files = [ROOT / path for path in files_of_project()]
    found = [one.name for one in files if digest.encode() in one.read_bytes()]
    assert found == ["verify_bundle.sha256"]


def test_each_numbered_check_of_the_page_is_one_function() -> None:
    page = (ROOT / "ledger" / "docs" / "spec" / "ledger_format_v1.md").read_text()
    section = page.split("\n## 13. ")[1].split("\n## ")[0]
    numbers = re.findall(r"^([0-9]+)\. \*\*", section, re.MULTILINE)
    functions = [
        node.name
        for node in ast.walk(ast.parse(TOOL.read_text()))
        if isinstance(node, ast.FunctionDef) and re.match("check_[0-9]", node.name)
    ]
    assert len(numbers) > 8
    assert sorted(name.split("_")[1] for name in functions) == [one.zfill(2) for one in numbers]
    called = [name for name in functions if TOOL.read_text().count(f"{name}(") > 1]
    assert called == functions


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_bundle_is_verified_as_a_folder_and_as_a_tar(
    kind: str, ledger: Chained, tmp_path: Path, run: Run
) -> None:
    write_kind(kind, ledger, tmp_path / "bundle")
    for name in ("", "export-1"):
        for format_ in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
            with tarfile.open(tmp_path / "bundle.tar", "w", format=format_) as archive:
                for path in sorted((tmp_path / "bundle").iterdir()):
                    archive.add(path, f"{name}/{path.name}".lstrip("/"))
            done = run(tmp_path / "bundle.tar", "--vkey", VKEY)
            assert (done.returncode, done.stderr) == (0, "")
    done = run(tmp_path / "bundle", "--vkey", VKEY, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["verified"] is True
    assert found["kind"] == kind
    assert found["ledger"] == ORIGIN
    assert found["signed by"] == [VKEY]


def test_what_is_missing_is_counted_by_what_is_known_of_it(
    ledger: Chained, tmp_path: Path, run: Run
) -> None:
    counts = {}
    for kind in KINDS:
        write_kind(kind, ledger, tmp_path / kind)
        found = json.loads(run(tmp_path / kind, "--vkey", VKEY, "--json").stdout)
        counts[kind] = (found["erased, proven"], found["erased, stated"], found["withheld"])
        unread = found["types only hashed and counted"]
        assert ("model.dreamt.v7" in unread) == (kind != "stream")
    assert counts == {
        "full": (1, 0, {"asked for": 2}),
        "range": (0, 1, {}),
        "stream": (0, 0, {"no": 1}),
    }


def test_a_refusal_is_one_line_with_file_line_position_expected_and_found(
    ledger: Chained, tmp_path: Path, run: Run
) -> None:
    write_bundle(tmp_path / "bundle", ledger)
    path = tmp_path / "bundle" / EVENTS
    path.write_bytes(path.read_bytes().replace(b"users/ada", b"users/eve", 3))
    done = run(tmp_path / "bundle", "--vkey", VKEY, "--json")
    assert done.returncode == 4
    told = done.stderr
    assert told.count("\n") == 1
    assert told.startswith(f"not verified: {EVENTS}, line 1, position 1: body_hash")
    assert "expected" in told
    assert "found" in told
    found = json.loads(done.stdout)
    assert found["verified"] is False
    assert (found["file"], found["line"], found["position"]) == (EVENTS, "1", "1")
    assert found["found"].strip('"') == ledger.events[0]["header"]["body_hash"]


def test_a_bundles_words_cannot_steer_the_terminal(
    ledger: Chained, tmp_path: Path, run: Run
) -> None:
    write_bundle(tmp_path / "bundle", ledger)
    path = tmp_path / "bundle" / EVENTS
    path.write_bytes(path.read_bytes().replace(b'"salt"', b'"\x1b[2Jsalt\xe2\x80\xae"', 1))
    done = run(tmp_path / "bundle", "--vkey", VKEY)
    assert done.returncode == 4
    assert "\x1b" not in done.stdout + done.stderr
    assert "\u202e" not in done.stdout + done.stderr


def test_a_files_name_cannot_steer_the_terminal(ledger: Chained, tmp_path: Path, run: Run) -> None:
    write_bundle(tmp_path / "bundle", ledger)
    (tmp_path / "bundle" / "data" / "x\nverified: true\x1b[2J\u202e").touch()
    done = run(tmp_path / "bundle", "--vkey", VKEY)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.rstrip("\n").isprintable()
    assert "verified: true" not in done.stdout.splitlines()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bundle"],
        ["nowhere", "--vkey", VKEY],
        ["bundle", "--vkey", "nonsense"],
        ["bundle", "--vkey", VKEY.replace("+a", "+b")],
        ["bundle", "--vkey", WITNESSES[0].vkey],
        ["bundle", "--vkey", VKEY, "--vkey", VKEY],
        ["bundle", "--vkey", VKEY, "--witness", VKEY],
        ["bundle", "--vkey", VKEY, "--witness", WITNESSES[0].vkey, "--quorum", "2"],
        ["bundle", "--vkey", VKEY, "--quorum", "many"],
        ["bundle", "--vkey", VKEY, "--quorum", "2"],
        ["bundle", "--vkey", VKEY, "--witness", WITNESSES[0].vkey, "--quorum", "0"],
        ["bundle", "--vkey", VKEY, "--witness-policy", "nowhere"],
        ["bundle", "--vkey", VKEY, "--more"],
    ],
)
def test_misuse_is_no_verdict(arguments: list[str], whole: Path, run: Run) -> None:
    named = [str(whole) if each == "bundle" else each for each in arguments]
    done = run(*named)
    assert done.returncode == 1
    assert done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b\x08"])
def test_what_is_no_bundle_is_refused(content: bytes, tmp_path: Path, run: Run) -> None:
    (tmp_path / "bundle.tar").write_bytes(content)
    assert run(tmp_path / "bundle.tar", "--vkey", VKEY).returncode == 4
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "--vkey", VKEY).returncode == 4


def links(archive: tarfile.TarFile, type_: bytes) -> None:
    item = tarfile.TarInfo("data/checkpoint")
    item.type, item.linkname = type_, "../elsewhere"
    archive.addfile(item)


@pytest.mark.parametrize(
    "type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(
    type_: bytes, whole: Path, tmp_path: Path, run: Run
) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for path in sorted(p for p in whole.rglob("*") if p.name != "checkpoint" and p.is_file()):
            archive.add(path, path.relative_to(whole).as_posix())
        links(archive, type_)
    assert run(tmp_path / "x.tar", "--vkey", VKEY).returncode == 4


@pytest.mark.parametrize("name", ["/data/more", "../more", "data/../more", "data/checkpoint"])
def test_strange_places_and_doubles_in_a_tar_are_refused(
    name: str, whole: Path, tmp_path: Path, run: Run
) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for path in sorted(p for p in whole.rglob("*") if p.is_file()):
            archive.add(path, path.relative_to(whole).as_posix())
        archive.addfile(tarfile.TarInfo(name))
    assert run(tmp_path / "x.tar", "--vkey", VKEY).returncode == 4


def test_the_same_file_twice_in_a_tar_is_refused(whole: Path, tmp_path: Path, run: Run) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for path in sorted(p for p in whole.rglob("*") if p.is_file()):
            archive.add(path, path.relative_to(whole).as_posix())
        archive.add(whole / "bagit.txt", "bagit.txt")
    assert run(tmp_path / "x.tar", "--vkey", VKEY).returncode == 4


@pytest.mark.parametrize(
    ("cosigners", "quorum", "code"),
    [([1, 2, 3], 3, 0), ([1, 3], 2, 0), ([2], 2, 4), ([], 1, 4), ([1, 2], None, 4), ([], None, 4)],
)
def test_a_quorum_of_witnesses_is_needed_where_one_is_asked_for(
    cosigners: list[int], quorum: int | None, code: int, ledger: Chained, tmp_path: Path, run: Run
) -> None:
    signers = [log_key(1), *(witness_key(n) for n in cosigners)]
    write_bundle(tmp_path / "bundle", ledger, signers=signers)
    arguments = [word for one in WITNESSES for word in ("--witness", one.vkey)]
    arguments += ["--quorum", str(quorum)] if quorum else []
    done = run(tmp_path / "bundle", "--vkey", VKEY, *arguments, "--json")
    assert done.returncode == code
    if code == 0:
        times = json.loads(done.stdout)["cosigned at"]
        assert times == {witness_key(n).name: "2026-01-01T00:00:00Z" for n in cosigners}
    policy = "".join(f"witness w{n} {one.vkey}\n" for n, one in enumerate(WITNESSES))
    policy += f"group g {quorum or 'all'} w0 w1 w2\nquorum g\n"
    (tmp_path / "policy").write_text(f"log {VKEY}\n{policy}")
    assert run(tmp_path / "bundle", "--witness-policy", tmp_path / "policy").returncode == code
    done = run(tmp_path / "bundle", "--witness-policy", tmp_path / "policy", "--vkey", VKEY)
    assert done.returncode == code
    (tmp_path / "policy").write_text(policy)  # a policy without a log accepts nothing
    done = run(tmp_path / "bundle", "--witness-policy", tmp_path / "policy", "--vkey", VKEY)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_cosignature_that_is_not_genuine_refuses_the_bundle(
    ledger: Chained, tmp_path: Path, run: Run
) -> None:
    write_bundle(tmp_path / "bundle", ledger, signers=[log_key(1), witness_key(1)])
    path = tmp_path / "bundle" / "data" / "checkpoint"
    note = ledger.note(signers=[log_key(1)]).decode()
    path.write_text(note + witness_key(1).line(b"another text\n"), "utf-8")
    bag(tmp_path / "bundle")
    assert run(tmp_path / "bundle", "--vkey", VKEY).returncode == 0
    witness = ["--witness", witness_key(1).vkey]
    assert run(tmp_path / "bundle", "--vkey", VKEY, *witness).returncode == 4


def long_ledger(events: int) -> Chained:
    ledger = Chained()
    time = "2026-03-01T00:00:00.000000Z"
    created = {"created_at": time, "format": "decision-ledger/1", "origin": ORIGIN, "vkey": VKEY}
    ledger.add("ledger.created.v1", created)
    for number in range(events):
        data = {"note": "é" if number % 7 == 0 else "", "value": str(number)}
        ledger.add("signal.observed.v1", data, f"models/m{number % 5}")
        if number % 2_500 == 2_000:
            ledger.seal(number - 700)
    for event in ledger.events:
        event["header"]["recorded_at"] = time
    relink(ledger.events)
    for event in ledger.events:
        if event["header"]["type"] == "streams.sealed.v1":
            reseal(ledger, event)
    relink(ledger.events)
    return ledger


def reseal(ledger: Chained, event: dict[str, Any]) -> None:
    relink(ledger.events, event["header"]["position"] - 2)
    records = ledger.records(event["body"]["data"]["as_of"])
    root = merkle_root([sha(b"\0" + canonical(record)) for record in records])
    event["body"]["data"] |= {"root": root.hex(), "streams": len(records)}
    relink(ledger.events, event["header"]["position"] - 1)


def test_both_cores_find_the_same(tmp_path: Path, run: Run) -> None:
    ledger = long_ledger(9_000)
    folder = write_bundle(tmp_path / "bundle", ledger)
    told = {}
    for jobs in ("1", "2"):
        done = run(folder, "--vkey", VKEY, "--jobs", jobs, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        told[jobs] = json.loads(done.stdout) | {"seconds": 0}
    assert told["1"] == told["2"]
    path = folder / EVENTS
    lines = path.read_bytes().splitlines(keepends=True)
    # Across the border of a batch, within one that another process has, and at the very end.
    for at in (1_000, 4_321, len(lines) - 1):
        edited = list(lines)
        edited[at] = edited[at].replace(b'"users/ada"', b'"users/eve"')
        edited[-1] = edited[-1][:-2]  # a later fault must not be told first
        path.write_bytes(b"".join(edited))
        refusals = {run(folder, "--vkey", VKEY, "--jobs", jobs).stderr for jobs in ("1", "2")}
        assert len(refusals) == 1
        assert f"line {at + 1}, position {at + 1}:" in refusals.pop()
    path.write_bytes(b"".join(lines[:3_000] + lines[3_001:]))
    for jobs in ("1", "2"):
        told_of = run(folder, "--vkey", VKEY, "--jobs", jobs).stderr
        assert "line 3001, position 3001: position" in told_of


def test_one_event_is_verified_by_hand_with_sha256sum_and_openssl(
    ledger: Chained, tmp_path: Path
) -> None:
    # The commands of the README, on the event of line 3.
    write_bundle(tmp_path / "bundle", ledger)
    script = r"""
set -eu
cd bundle/data
sed -n 3p events.jsonl > line
sed 's/.*"header":\(.*\),"salt":.*/\1/' line | tr -d '\n' > header
sed 's/^{"body":\(.*\),"hash":"[0-9a-f]*","header":.*/\1/' line | tr -d '\n' > body
sed 's/.*"salt":"\([0-9a-f]*\)"}$/\1/; s/../\\x&/g' line | tr -d '\n' > salt
{ printf '\000'; cat header; } | sha256sum | cut -c1-64
{ printf '\002'; printf "$(cat salt)"; cat body; } | sha256sum | cut -c1-64
sed '/^$/,$d' checkpoint > text
tail -n 1 checkpoint | sed 's/.* //' | base64 -d | tail -c 64 > signature
printf '\060\052\060\005\006\003\053\145\160\003\041\000' > key
printf %s "$VKEY" | sed 's/^[^+]*+[^+]*+//' | base64 -d | tail -c 32 >> key
openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature
"""
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "VKEY": VKEY}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    event = ledger.events[2]
    told = [event["hash"], event["header"]["body_hash"], "Signature Verified Successfully"]
    assert done.stdout.splitlines() == told
