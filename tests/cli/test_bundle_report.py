"""The report in a bundle is what the events say: `verify` renders it again and compares the bytes.

Method: bundles of every kind are repainted, their manifests repaired, and verified. A forger who
also repaints what the report is made of shows at the file that is signed, or is named as unsigned.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from tests.cli.conftest import Run, against, by_itself
from tests.cli.test_client_alone import run as run_alone
from tests.support.bundles import LedgerInMemory, small_ledger
from tests.support.served import serving
from tests.verifier.writing import digest_lines

REPORT = "data/report.html"
ELSEWHERE = " of the server, its database or a full bundle"
SAME = "rendered again from the events, and the same"
KINDS: dict[str, tuple[str, ...]] = {
    "full": (),
    "range": ("--from", "5", "--to", "80"),
    "stream": ("--stream", "models/fares"),
}


@pytest.fixture(scope="module")
def exported(told_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ledger's key, a bundle of each kind, and one without a purpose."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(told_folder, folder / "ledger")
    with by_itself(folder), serving(folder / "ledger") as served:
        cli = against(served)
        key = str(cli("vkey", "--json").json["verifier_key"])
        purpose = ("--purpose", "Yearly review")
        lines = {kind: (*KINDS[kind], *purpose) for kind in KINDS} | {"plain": ()}
        for name, options in lines.items():
            made = cli("export", "create", str(folder / name), *options, "--vkey", key)
            assert made.code == 0, made.err
    (folder / "key").write_text(key)
    return folder


@pytest.fixture
def key(exported: Path) -> str:
    return (exported / "key").read_text()


@pytest.fixture(params=KINDS)
def bundle(request: pytest.FixtureRequest, exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / request.param, tmp_path / request.param))


def repair(folder: Path) -> None:
    """Make the manifests those of what lies there."""
    data = [f"data/{path.name}" for path in (folder / "data").iterdir()]
    sizes = sum((folder / name).stat().st_size for name in data)
    info = (folder / "bag-info.txt").read_text()
    (folder / "bag-info.txt").write_text(
        re.sub(r"Payload-Oxum: .*", f"Payload-Oxum: {sizes}.{len(data)}", info)
    )
    (folder / "manifest-sha256.txt").write_text(digest_lines(folder, data))
    tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
    (folder / "tagmanifest-sha256.txt").write_text(digest_lines(folder, tags))


def repaint(folder: Path, old: str, new: str) -> int:
    """Replace the first text in the report, repair the manifests, and return the line of it."""
    text = (folder / REPORT).read_text("utf-8")
    assert old in text
    (folder / REPORT).write_text(text.replace(old, new, 1), "utf-8")
    repair(folder)
    return text[: text.index(old)].count("\n") + 1


def test_an_honest_report_is_rendered_again_without_the_server_and_is_the_same(
    bundle: Path, run: Run, key: str
) -> None:
    ran = run("verify", str(bundle), "--vkey", key, "--json")
    assert ran.code == 0, ran.err
    found = ran.json["bundle"]
    assert found["report"] == SAME
    assert REPORT not in found["not_signed"]
    assert f"{REPORT}: the purpose" in found["not_signed"]
    has_decisions = bundle.name != "range"
    assert (f"{REPORT}: the outcome of each replay" in found["not_signed"]) == has_decisions
    is_stated = f"{REPORT}: up to where callers were believed" in found["not_signed"]
    assert is_stated == (bundle.name != "full"), "a part does not hold the beginning"
    assert "data/verify_bundle.py" not in found["not_signed"], "it is this program's own"
    shown = run("verify", str(bundle), "--vkey", key).out
    assert f"data/report.html: {SAME}" in shown
    by = "" if bundle.name == "full" else "The issuer states: "
    up_to = ran.json["last_position"] if bundle.name != "stream" else "[0-9]+"
    believed = rf"^{by}Callers of events up to position {up_to} were believed, not authenticated: "
    assert re.search(believed, shown, re.MULTILINE)
    assert f"digest {found['manifest_digest']}; compare it with the one that" in shown
    assert "No signature covers: bag-info.txt: the version in Bag-Software-Agent; " in shown


REPAINTED = {
    "a number": ("events under the signed checkpoint", "events, all of them honest"),
    "who asked": ("users/", "users/the-regulator-"),
    "when": (", 20", ", 19"),
    "the purpose where it is shown": ("<td>Yearly review", "<td>Acquittal"),
    "a comment at the end": ("</html>", "<!-- audited --></html>"),
    "a second head": ("</head>", '<meta name="generator" content="x"></head>'),
}


@pytest.mark.parametrize("name", REPAINTED)
def test_a_repainted_report_with_repaired_manifests_is_refused_by_file_and_line(
    name: str, bundle: Path, run: Run, key: str
) -> None:
    line = repaint(bundle, *REPAINTED[name])
    ran = run("verify", str(bundle), "--vkey", key)
    assert ran.code == Exit.INTEGRITY
    assert f"{REPORT}, line {line}: it is not the report of these events" in ran.err


@pytest.fixture
def full(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported / "plain", tmp_path / "full"))


def rewrite(folder: Path, name: str, old: str, new: str) -> None:
    """Replace a text in a tag file, and repair the manifest of tag files."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
    (folder / "tagmanifest-sha256.txt").write_text(digest_lines(folder, tags))


def without_verifier(folder: Path) -> None:
    (folder / "data" / "verify_bundle.py").unlink()
    repair(folder)


FORGED: dict[str, Callable[[Path], object]] = {
    "a wrong size": lambda at: rewrite(at, "bag-info.txt", "Payload-Oxum: ", "Payload-Oxum: 1"),
    "another date": lambda at: rewrite(at, "bag-info.txt", "Bagging-Date: 2", "Bagging-Date: 1"),
    "another declaration": lambda at: rewrite(at, "bagit.txt", "1.0", "0.97"),
    "a repainted report": lambda at: repaint(at, "events under the signed", "honest events, as"),
    "a missing file": without_verifier,
}


@pytest.mark.parametrize("name", FORGED)
def test_audit_and_verify_judge_a_bundles_files_alike(
    name: str, full: Path, run: Run, key: str
) -> None:
    FORGED[name](full)
    verified = run("verify", str(full), "--vkey", key, "--json")
    audited = run("audit", "run", str(full), "--vkey", key, "--json")
    assert (verified.code, audited.code) == (Exit.INTEGRITY, Exit.INTEGRITY)
    (found,) = verified.json["findings"]
    assert [(one["rule"], one["what"]) for one in audited.json["findings"]] == [
        ("bundle.files", found["what"])
    ]


def test_an_audit_says_how_the_report_of_an_honest_bundle_compares(
    full: Path, run: Run, key: str
) -> None:
    audited = run("audit", "run", str(full), "--vkey", key)
    assert audited.code == 0, audited.err
    assert f"data/report.html: {SAME}" in audited.out
    assert "No signature covers: bag-info.txt: the version in Bag-Software-Agent; " in audited.out


def test_bodies_that_a_bundle_withholds_are_not_called_erased(
    told: Run, run: Run, key: str, tmp_path: Path
) -> None:
    out = str(tmp_path / "withheld")
    left = ("--withhold-type", "policy.drafted.v2", "--withhold-reason", "a trade secret")
    assert told("export", "create", out, *left, "--vkey", key).code == 0
    audited = run("audit", "run", out, "--vkey", key, "--json")
    assert audited.code == 0, audited.err
    reasons = {one["rule"]: one["reason"] for one in audited.json["gaps"]}
    assert reasons["replay.score"] == "withheld: a trade secret"
    assert "erased" not in reasons.values()


@pytest.mark.parametrize(("kind", "where"), [("full", ""), ("range", ELSEWHERE)])
def test_verify_says_which_source_an_audit_needs(
    kind: str, where: str, told: Run, run: Run, key: str, tmp_path: Path
) -> None:
    out = str(tmp_path / kind)
    assert told("export", "create", out, *KINDS[kind], "--vkey", key).code == 0
    shown = run("verify", out, "--vkey", key).out
    assert f"`audit run`{where} checks it." in shown


def test_a_reason_that_was_repainted_is_refused(told: Run, key: str, tmp_path: Path) -> None:
    out = tmp_path / "b"
    assert told("export", "create", str(out), "--vkey", key).code == 0
    assert "makes up" in (out / REPORT).read_text("utf-8"), "reasons are those of explain"
    repaint(out, "makes up", "hardly makes up")
    ran = told("verify", str(out), "--vkey", key)
    assert (ran.code, "it is not the report of these events" in ran.err) == (4, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("requested_by", "users/the-regulator"), ("requested_at", "2031-01-01T00:00:00.000000Z")],
)
def test_a_scope_that_was_repainted_is_not_what_its_report_says(
    name: str, value: str, bundle: Path, run: Run, key: str
) -> None:
    scope = bundle / "data" / "scope.json"
    told = json.loads(scope.read_bytes()) | {name: value}
    scope.write_text(json.dumps(told, sort_keys=True, separators=(",", ":")))
    repair(bundle)
    ran = run("verify", str(bundle), "--vkey", key)
    assert ran.code == Exit.INTEGRITY
    assert f"{REPORT}, line" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("External-Identifier: ", "External-Identifier: regulator.example.com/", 3),
        ("Bagging-Date: 20", "Bagging-Date: 19", 2),
        ("Payload-Oxum", "Source-Organization: The Regulator\nPayload-Oxum", 4),
    ],
)
def test_a_repainted_bag_info_with_repaired_manifests_is_refused_by_file_and_line(
    old: str, new: str, line: int, bundle: Path, run: Run, key: str
) -> None:
    info = bundle / "bag-info.txt"
    text = info.read_text()
    assert old in text
    info.write_text(text.replace(old, new))
    repair(bundle)
    ran = run("verify", str(bundle), "--vkey", key)
    assert ran.code == Exit.INTEGRITY
    assert f"bag-info.txt, line {line}: it is not what the program writes" in ran.err


def test_a_bag_info_of_another_program_is_listed_as_not_signed(
    bundle: Path, run: Run, key: str
) -> None:
    info = bundle / "bag-info.txt"
    info.write_text(info.read_text().replace("Agent: decision-ledger", "Agent: another"))
    repair(bundle)
    ran = run("verify", str(bundle), "--vkey", key, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert "bag-info.txt, but for Payload-Oxum" in ran.json["bundle"]["not_signed"]


def other_program(text: str) -> str:
    return re.sub(r'(<meta name="generator" content=")[^"]*', r"\1another 9.9", text, count=1)


def without_head(text: str) -> str:
    return re.sub(r'<meta name="generator".*\n', "", text, count=1)


def false_statement(text: str) -> str:
    return re.sub(r'(<meta name="stated" content=")[^"]*', r"\1[]", text, count=1)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (other_program, "another program wrote it, as it says: another 9.9"),
        (without_head, "it does not say which program wrote it"),
        (false_statement, "it does not say which program wrote it"),
    ],
)
def test_a_report_of_another_program_is_not_compared_and_never_said_to_be_the_same(
    edit: Callable[[str], str], why: str, bundle: Path, run: Run, key: str
) -> None:
    text = (bundle / REPORT).read_text("utf-8")
    (bundle / REPORT).write_text(edit(text), "utf-8")
    repair(bundle)
    ran = run("verify", str(bundle), "--vkey", key, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["bundle"]["report"] == f"not compared: {why}"
    assert {"rule": "report", "reason": f"not compared: {why}", "count": 1} in ran.json["gaps"]
    assert f"{REPORT}: all of it, not compared: {why}" in ran.json["bundle"]["not_signed"]


def test_a_forged_copy_of_the_verifier_is_named_as_not_signed(
    bundle: Path, run: Run, key: str
) -> None:
    (bundle / "data" / "verify_bundle.py").write_text("print('verified: true')\n")
    repair(bundle)
    ran = run("verify", str(bundle), "--vkey", key, "--json")
    assert (ran.code, "data/verify_bundle.py" in ran.json["bundle"]["not_signed"]) == (0, True)


def test_a_report_does_not_depend_on_day_place_and_language(
    bundle: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    words = ["decision-ledger", "verify", str(bundle), "--vkey", key, "--json"]
    code = f"""
import sys, time
time.time, time.time_ns = (lambda: 4e9), (lambda: 4 * 10**18)
sys.argv = {words!r}
from ledger.cli.main import run
run()
"""
    line = [sys.executable, "-c", code]
    ran = subprocess.run(line, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["bundle"]["report"] == SAME


def test_an_installation_that_renders_nothing_says_so(tmp_path: Path) -> None:
    made: LedgerInMemory = small_ledger()
    made.write(tmp_path / "b")
    line = ("verify", str(tmp_path / "b"), "--vkey", made.vkey)
    ran = run_alone("from ledger.cli.main import run; run()", *line)
    assert ran.returncode == 0, ran.stderr
    assert "not compared: this installation renders none" in ran.stdout
