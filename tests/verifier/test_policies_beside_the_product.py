"""Policies and witnesses' keys are judged alike by both verifiers, each by itself.

Method: one policy text for both, of each kind that one of them once took and the other refused;
then whole bundles whose checkpoint a witness signed.
"""

from base64 import b64encode
from pathlib import Path

import pytest

from ledger.chain.policy import PolicyError, parse_policy
from ledger.export.files import BundleError
from ledger.export.verify import verify_bundle
from tests.support.chained import ORIGIN, Chained, Signer, log_key
from tests.support.weak_keys import FOR_ANYBODY, NEUTRAL, OTHER_SPELLINGS, SMALL_ORDER, vkey_text
from tests.verifier.both import Alone, Opened, compare
from tests.verifier.writing import bag, load_tool, write_bundle
from tools.known_answers.mldsa_notes import Cosigner
from tools.known_answers.primitives import NOW
from tools.known_answers.primitives import line as line_by

TOOL = load_tool()
LOG = log_key(1)
WITNESS = Signer("witness.example.com/w", bytes([7]) * 32, 4)
UNKNOWN = vkey_text("w7", 7, bytes(1312))
MLDSA = vkey_text("m", 6, bytes(range(1, 83)) * 16)
CHECKPOINT = "data/checkpoint"

WEAK = {
    f"a weak key of a {what}, {public.hex()[:2]}…{public.hex()[-2:]}": line.format(
        vkey_text(name, kind, public)
    )
    for what, name, kind, line in (
        ("log", ORIGIN, 1, "log {}"),
        ("witness", "w", 4, "witness w {}"),
    )
    for public in (*SMALL_ORDER, *OTHER_SPELLINGS)
}
REFUSED = WEAK | {
    "a log of an unknown type": f"log {UNKNOWN}",
    "a witness with a key of a log": f"witness w {LOG.vkey}",
    "a witness with a key of ECDSA": f"witness w {vkey_text('w', 2, bytes(91))}",
    "a witness with a key of RFC 6962": f"witness w {vkey_text('w', 5, bytes(91))}",
    "an unknown key twice": f"witness a {UNKNOWN}\nwitness b {UNKNOWN}",
    "an unknown key under two types": (
        f"witness a {vkey_text('w', 7, bytes(9))}\nwitness b {vkey_text('w', 8, bytes(9))}"
    ),
    "an unknown key of no bytes": f"witness w {vkey_text('w', 7, b'')}",
    "a key of ML-DSA that is too short": f"witness w {vkey_text('w', 6, bytes(range(9)))}",
    "a key of ML-DSA with another id": f"witness w w+00000000+{MLDSA.split('+', 2)[2]}",
    "a key of ML-DSA twice": f"witness a {MLDSA}\nwitness b {MLDSA}",
    "a log with a key of ML-DSA": f"log {MLDSA}",
    "an unknown key with no id": f"witness w w+0000000g+{UNKNOWN.split('+', 2)[2]}",
    "a comment behind a line": f"log {LOG.vkey} url # comment",
}
TAKEN = {
    "a witness with a key of ML-DSA": f"witness w {MLDSA}",
    "a comment behind spaces": "  # log",
    "a comment behind a tab": "\t#log",
    "a witness of an unknown type": f"witness w {UNKNOWN}",
    "a witness of an unknown type whose id is another": (
        f"witness w w7+00000000+{UNKNOWN.split('+', 2)[2]}"
    ),
    "a log and a witness under one key": (
        f"log {LOG.vkey}\nwitness w {Signer(ORIGIN, LOG.seed, 4).vkey}"
    ),
}


def lines(extra: str, quorum: str = "none") -> bytes:
    return f"{extra}\nquorum {quorum}\n".encode()


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_is_refused_by_both(name: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(lines(REFUSED[name]))
    with pytest.raises((ValueError, TOOL.Fault)):
        TOOL.parse_policy(lines(REFUSED[name]))


@pytest.mark.parametrize("name", TAKEN)
def test_a_policy_is_taken_by_both(name: str) -> None:
    parse_policy(lines(TAKEN[name]))
    TOOL.parse_policy(lines(TAKEN[name]))


def cosigned(folder: Path, ledger: Chained, line: str) -> Opened:
    """Return a bundle whose checkpoint has one line more."""
    bundle = Opened.of(write_bundle(folder, ledger))
    return bundle.changed(CHECKPOINT, bundle.files[CHECKPOINT] + line.encode())


def text_of(folder: Path, ledger: Chained) -> bytes:
    note = Opened.of(write_bundle(folder, ledger)).files[CHECKPOINT]
    return note.rpartition(b"\n\n")[0] + b"\n"


def test_what_anybody_cosigned_under_a_weak_key_counts_for_neither(
    ledger: Chained, tmp_path: Path
) -> None:
    vkey = vkey_text("w", 4, NEUTRAL)
    blob = bytes.fromhex(vkey.split("+")[1]) + (1_800_000_000).to_bytes(8, "big") + FOR_ANYBODY
    line = f"\N{EM DASH} w {b64encode(blob).decode()}\n"
    note = cosigned(tmp_path, ledger, line).files[CHECKPOINT]
    policy = lines(f"log {LOG.vkey}\nwitness w {vkey}", "w")
    with pytest.raises(PolicyError, match=r"line 2: .* of small order: .* needs no secret"):
        parse_policy(policy).check(note)
    with pytest.raises(ValueError, match=r"of small order: .* needs no secret"):
        TOOL.parse_policy(policy)


@pytest.mark.parametrize(
    ("seconds", "holds"),
    [
        (0, False),
        (946_684_799, False),
        (1_640_995_199, False),
        (1_640_995_200, True),
        (253_402_300_799, True),
        (253_402_300_800, False),
        (2**63 - 1, False),
    ],
)
def test_a_cosignature_of_a_time_that_cannot_be_is_refused_by_both(
    seconds: int, *, holds: bool, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    text = text_of(tmp_path / "text", ledger)
    bundle = cosigned(tmp_path / "bundle", ledger, WITNESS.line(text, seconds))
    policy = lines(f"log {LOG.vkey}\nwitness w {WITNESS.vkey}", "w")
    assert compare(alone, bundle, seconds, [], policy) == holds


@pytest.mark.parametrize("order", ["false first", "false last", "both genuine"])
@pytest.mark.parametrize("signer", [LOG, WITNESS], ids=["log", "witness"])
@pytest.mark.parametrize("is_by_policy", [True, False])
def test_a_false_second_line_by_the_same_key_refuses_the_note_for_both(
    *,
    is_by_policy: bool,
    signer: Signer,
    order: str,
    ledger: Chained,
    tmp_path: Path,
    alone: Alone,
) -> None:
    text = text_of(tmp_path / "text", ledger)
    genuine, false = signer.line(text), signer.line(b"another text\n")
    pair = {"false first": [false, genuine], "false last": [genuine, false]}
    lines_ = [LOG.line(text), *pair.get(order, [genuine, genuine])]
    bundle = Opened.of(write_bundle(tmp_path / "bundle", ledger))
    bundle = bundle.changed(CHECKPOINT, text + b"\n" + "".join(lines_).encode())
    policy = lines(f"log {LOG.vkey}\nwitness w {WITNESS.vkey}")
    is_judged = is_by_policy or signer is LOG  # a line by a key that was not brought is ignored
    vkeys, stated = ([], policy) if is_by_policy else ([LOG.vkey], b"")
    holds = compare(alone, bundle, order, vkeys, stated)
    assert holds == (order == "both genuine" or not is_judged)


@pytest.mark.parametrize(
    ("is_genuine", "quorum", "holds"),
    [(True, "w", True), (False, "w", False), (False, "none", False)],
)
def test_a_log_and_a_witness_under_one_key_are_judged_alike_by_both(
    *, is_genuine: bool, quorum: str, holds: bool, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    same = Signer(ORIGIN, LOG.seed, 4)
    text = text_of(tmp_path / "text", ledger) if is_genuine else b"another text\n"
    bundle = cosigned(tmp_path / "bundle", ledger, same.line(text))
    policy = lines(f"log {LOG.vkey}\nwitness w {same.vkey}", quorum)
    assert compare(alone, bundle, quorum, [], policy) == holds


def test_a_cosignature_by_ml_dsa_that_says_no_time_is_passed_over(
    ledger: Chained, tmp_path: Path
) -> None:
    cosigner = Cosigner("m.example.com", bytes([7]) * 32)
    text = text_of(tmp_path / "text", ledger)
    line = line_by(cosigner.name, cosigner.blob(text.decode(), 0))
    folder = write_bundle(tmp_path / "bundle", ledger)
    with (folder / CHECKPOINT).open("a", encoding="utf-8") as file:
        file.write(line)
    bag(folder)
    vkeys = f"log {LOG.vkey}\nwitness m {cosigner.vkey}"
    assert verify_bundle(folder, policy=parse_policy(lines(vkeys))).witnesses == ()
    with pytest.raises(BundleError, match="the quorum m is not met: cosigned by no witness"):
        verify_bundle(folder, policy=parse_policy(lines(vkeys, "m")))


@pytest.mark.parametrize("quorum", ["w", "m"])
def test_a_witness_with_a_key_of_ml_dsa_is_named_as_not_checked_by_the_stand_alone_verifier(
    quorum: str, ledger: Chained, tmp_path: Path
) -> None:
    cosigner = Cosigner("m.example.com", bytes([7]) * 32)
    text = text_of(tmp_path / "text", ledger)
    line = line_by(cosigner.name, cosigner.blob(text.decode(), NOW))
    folder = write_bundle(tmp_path / "bundle", ledger)
    with (folder / CHECKPOINT).open("a", encoding="utf-8") as file:
        file.write(WITNESS.line(text) + line)
    bag(folder)
    vkeys = f"log {LOG.vkey}\nwitness w {WITNESS.vkey}\nwitness m {cosigner.vkey}"
    policy = lines(vkeys, quorum)
    found = verify_bundle(folder, policy=parse_policy(policy))
    assert found.witnesses == ("w", "m")
    if quorum == "m":
        why = "quorum of cosignatures, without m.example.com: not checked here"
        with pytest.raises(TOOL.Fault, match=why):
            TOOL.verify(folder, [policy], 1)
        return
    told = TOOL.verify(folder, [policy], 1)
    assert told["witnesses not checked here"] == ["m.example.com"]
    unsigned = "the line of m.example.com, by no key given and checked"
    assert f"{CHECKPOINT}: {unsigned}" in told["not signed"]


@pytest.mark.parametrize(("quorum", "holds"), [("w", True), ("x", False)])
def test_a_witness_of_an_unknown_type_is_not_counted_by_either(
    quorum: str, *, holds: bool, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    blob = bytes.fromhex(UNKNOWN.split("+")[1]) + bytes(80)
    line = f"\N{EM DASH} w7 {b64encode(blob).decode()}\n"
    text = text_of(tmp_path / "text", ledger)
    bundle = cosigned(tmp_path / "bundle", ledger, WITNESS.line(text) + line)
    policy = lines(f"log {LOG.vkey}\nwitness w {WITNESS.vkey}\nwitness x {UNKNOWN}", quorum)
    assert compare(alone, bundle, quorum, [], policy) == holds
