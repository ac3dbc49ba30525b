"""Both verifiers say up to where a bundle is complete, bound its age, and name what is not signed.

Method: a stream's bundle is made by an old seal under the newest checkpoint, so that everything in
it holds and later events are left out; unsigned texts are repainted and the manifests repaired.
Both verifiers read the same bytes at the same time of day.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.keys import VerifierKey
from ledger.chain.policy import parse_policy
from ledger.events.notation import shown_time
from ledger.export.files import BundleError, open_bundle
from ledger.export.reach import AgeBound, BundleReach
from ledger.export.verify import VerifiedBundle, verify_opened
from tests.support.bundles import LedgerInMemory
from tests.support.chained import Chained, Signer, log_key, witness_key
from tests.verifier.conftest import KINDS, POLICY, TOOL, write_kind
from tests.verifier.editing import SCOPE, edit_json
from tests.verifier.writing import bag, write_bundle

SECONDS = 1_772_359_200  # 2026-03-01T10:00:00Z, when the small ledger begins
DAY = 86_400
SEAL_AT = "2026-03-01T10:00:09.000001Z"
REPORT = "data/report.html"


@dataclass
class Found:
    """What both verifiers say of a bundle."""

    product: VerifiedBundle
    alone: dict[str, Any]


def both(path: Path, policy: bytes = POLICY, age: tuple[int, int] | None = None) -> Found:
    """Return what both find, `age` being the seconds allowed and the seconds of the clock."""
    keys = () if policy != POLICY else (VerifierKey.parse(log_key(1).vkey),)
    bound = None if age is None else AgeBound(age[0], age[1] * 1_000_000)
    parsed = None if keys else parse_policy(policy)
    product = verify_opened(open_bundle(path), keys, parsed, age=bound)
    alone = TOOL.verify(path, [policy], 1, None if age is None else TOOL.AgeBound(*age))
    return Found(product, alone)


def refused_by_both(
    path: Path, age: tuple[int, int], policy: bytes = POLICY
) -> list[tuple[str, str]]:
    """Return file and words of both refusals, for each must refuse."""
    keys = () if policy != POLICY else (VerifierKey.parse(log_key(1).vkey),)
    parsed = None if keys else parse_policy(policy)
    bound = AgeBound(age[0], age[1] * 1_000_000)
    with pytest.raises(BundleError) as product:
        verify_opened(open_bundle(path), keys, parsed, age=bound)
    with pytest.raises(TOOL.Fault) as alone:
        TOOL.verify(path, [policy], 1, TOOL.AgeBound(*age))
    return [(product.value.file, str(product.value)), (alone.value.args[3], str(alone.value))]


@pytest.fixture
def stale(ledger: Chained, tmp_path: Path) -> Path:
    """A stream's bundle by an old seal under the newest checkpoint; it hides five observations."""
    for number in range(5):
        ledger.add("signal.observed.v1", {"n": number}, "models/m1")
    return write_bundle(tmp_path / "stale", ledger, stream="models/m1", seal=9)


def test_an_old_seal_under_the_newest_checkpoint_is_said_with_what_it_hides(stale: Path) -> None:
    found = both(stale)
    # The product tells people times to the second, the tool as they are recorded.
    told = {str(found.product.reach): shown_time(SEAL_AT), found.alone["complete"]: SEAL_AT}
    for words, at in told.items():
        assert words == (
            f"complete up to position 8, recorded at {at}; the checkpoint is 8 events newer"
        )
    alone = [found.alone[name] for name in ("complete up to", "recorded at", "events newer")]
    assert alone == [8, SEAL_AT, 8]


def test_an_old_seal_is_refused_where_the_reader_bounds_its_age(stale: Path) -> None:
    month_later = SECONDS + 30 * DAY
    both(stale, age=(30 * DAY, month_later))
    for file, words in refused_by_both(stale, (28 * DAY, month_later)):
        assert file == "data/seal.json"
        assert "29d23h59m5" in words
        assert "at most 28d" in words


@pytest.mark.parametrize("number", [1, 2])
def test_the_age_is_counted_to_the_last_cosignature_and_not_to_the_day_of_reading(
    number: int, ledger: Chained, tmp_path: Path
) -> None:
    """Method: witnesses of the policy sign days after the seal; the bundle is read years later."""
    ledger.add("signal.observed.v1", {"n": 1}, "models/m1")
    signers = [log_key(1)]
    write_bundle(tmp_path, ledger, stream="models/m1", seal=9, signers=signers)
    note = ledger.note(ledger.size, signers)
    text = note.rpartition(b"\n\n")[0] + b"\n"
    witnesses = [witness_key(one) for one in range(1, number + 1)]
    lines = [one.line(text, SECONDS + at * DAY) for at, one in enumerate(witnesses, 1)]
    (tmp_path / "data/checkpoint").write_bytes(note + "".join(lines).encode())
    bag(tmp_path)
    listed = "".join(f"witness w{at} {one.vkey}\n" for at, one in enumerate(witnesses))
    policy = f"log {log_key(1).vkey}\n{listed}quorum w0\n".encode()
    years_later = SECONDS + 2_000 * DAY
    both(tmp_path, policy, (number * DAY, years_later))
    for _, words in refused_by_both(tmp_path, (number * DAY - 60, years_later), policy):
        assert "59m5" in words
    assert refused_by_both(tmp_path, (number * DAY, years_later)), "no witness was brought along"
    both(tmp_path, policy, (60, SECONDS + 60))  # read before the witness's clock says so


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_that_ends_with_the_newest_event_has_no_age(
    kind: str, ledger: Chained, tmp_path: Path
) -> None:
    size = ledger.size
    if kind == "stream":
        size = ledger.seal()
        write_bundle(tmp_path, ledger, stream="models/m1", seal=size)
    else:
        write_bundle(tmp_path, ledger, span=None if kind == "full" else (5, size))
    found = both(tmp_path, age=(0, SECONDS + 9_000 * DAY))
    assert found.product.reach.events_newer == found.alone["events newer"] == (kind == "stream")


def test_a_range_that_ends_early_is_as_old_as_its_last_event(
    ledger: Chained, tmp_path: Path
) -> None:
    write_bundle(tmp_path, ledger, span=(3, 10), withheld={4: "erased"})
    both(tmp_path, age=(DAY, SECONDS + DAY))
    for file, _ in refused_by_both(tmp_path, (DAY, SECONDS + DAY + 60)):
        assert file == SCOPE


def test_the_digest_of_the_manifest_and_what_is_not_signed_are_the_same_in_both(
    bundle: Path,
) -> None:
    found = both(bundle)
    manifest = (bundle / "manifest-sha256.txt").read_bytes()
    assert found.product.manifest_digest.hex() == found.alone["manifest"]
    assert found.alone["manifest"] == hashlib.sha256(manifest).hexdigest()
    assert list(found.product.unsigned) == found.alone["not signed"]


@settings(deadline=None, max_examples=60)
@given(
    now=st.integers(-2, 100), allowed=st.integers(0, 100), cosigned=st.none() | st.integers(1, 90)
)
def test_both_judge_every_age_alike(now: int, allowed: int, cosigned: int | None) -> None:
    """Method: seconds around the recording of a seal, which has a fraction of one."""
    product = BundleReach(8, SEAL_AT, 8, is_newest=False, file="data/seal.json")
    alone = TOOL.Reach(8, SEAL_AT, is_newest=False, file="data/seal.json")
    times = [] if cosigned is None else [SECONDS + cosigned]
    verdicts = []
    for check, error in (
        (lambda: product.check(AgeBound(allowed, (SECONDS + now) * 1_000_000), times), BundleError),
        (
            lambda: TOOL.check_13_age(alone, times, TOOL.AgeBound(allowed, SECONDS + now)),
            TOOL.Fault,
        ),
    ):
        try:
            check()
            verdicts.append(True)
        except error:
            verdicts.append(False)
    until = now if cosigned is None else min(now, cosigned)
    expected = math.floor(until - 9.000001) <= allowed
    assert verdicts == [expected, expected]


UNSIGNED = {
    "bag-info.txt, but for Payload-Oxum": KINDS,
    "data/report.html": KINDS,
    "data/verify_bundle.py": KINDS,
    "data/scope.json: requested_at, requested_by": KINDS,
    "data/scope.json: each reason in withheld": KINDS,
    "data/keys.json: from and until which size a key counts": ("range", "stream"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_thing_that_no_signature_covers_is_listed_by_name(
    kind: str, ledger: Chained, tmp_path: Path
) -> None:
    found = both(write_kind(kind, ledger, tmp_path))
    assert found.alone["not signed"] == [name for name, kinds in UNSIGNED.items() if kind in kinds]


def repaint(folder: Path, name: str) -> None:
    match name:
        case "bag-info.txt":
            text = (folder / name).read_text()
            (folder / name).write_text(f"Source-Organization: The Regulator\n{text}")
            tags = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")
            lines = [f"{digest_of(folder / tag)}  {tag}\n" for tag in tags]
            (folder / "tagmanifest-sha256.txt").write_text("".join(lines))
        case "report.html":
            (folder / REPORT).write_text("<!doctype html><p>Everything was in order.\n")
            bag(folder)
        case _:
            edit_json(folder, SCOPE, lambda scope: scope.update({name: REPAINTED[name]}))


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


REPAINTED = {
    "bag-info.txt": "bag-info.txt",
    "report.html": REPORT,
    "requested_by": "users/the-regulator",
    "requested_at": "2031-01-01T00:00:00.000000Z",
}


@pytest.mark.parametrize("name", REPAINTED)
def test_what_can_be_repainted_is_listed_and_all_under_data_changes_the_manifests_digest(
    name: str, bundle: Path
) -> None:
    before = both(bundle)
    repaint(bundle, name)
    after = both(bundle)
    assert any(name in one for one in after.alone["not signed"])
    is_tag = name == "bag-info.txt"
    assert (before.alone["manifest"] == after.alone["manifest"]) == is_tag


def test_a_line_of_the_checkpoint_by_an_unknown_key_is_named_as_not_signed(
    ledger: Chained, tmp_path: Path
) -> None:
    witness = witness_key(7)
    write_bundle(tmp_path, ledger, signers=[log_key(1), witness])
    name = f"data/checkpoint: the line of {witness.name}, by no key given and checked"
    found = both(tmp_path)
    assert name in found.alone["not signed"]
    assert list(found.product.unsigned) == found.alone["not signed"]
    policy = f"log {log_key(1).vkey}\nwitness w {witness.vkey}\nquorum w\n".encode()
    known = both(tmp_path, policy)
    assert name not in known.alone["not signed"]
    assert list(known.product.unsigned) == known.alone["not signed"]


@pytest.mark.parametrize("text", ["28", "d28", "", "1.5h", "28 d", "-1d"])
def test_an_age_that_is_no_span_of_time_is_misuse(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TOOL.main(["bundle", "--vkey", log_key(1).vkey, f"--max-seal-age={text}"]) == 1
    assert "is not a span of time" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("28d", 28 * DAY), ("1d12h", 129_600), ("90s", 90)])
def test_an_age_is_given_in_human_units(text: str, seconds: int) -> None:
    assert TOOL.seconds_of(text) == seconds
    assert TOOL.span_of(seconds) == text.replace("90s", "1m30s")


def test_a_bundles_own_words_do_not_act_upon_a_terminal(
    ledger: Chained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Method: the name under a line of the checkpoint turns the direction of what follows it."""
    forger = Signer("\u202eregulator.example.com", bytes(32), kind=4)
    write_bundle(tmp_path, ledger, signers=[log_key(1), forger])
    assert TOOL.main([str(tmp_path), "--vkey", log_key(1).vkey, "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "\\u202eregulator.example.com" in shown


@pytest.mark.parametrize("at", [0, 3, 5])
def test_both_say_up_to_where_callers_were_believed_and_neither_of_a_part(
    tmp_path: Path, at: int
) -> None:
    ledger = LedgerInMemory()
    for position in range(3, 8):
        if position == at:
            ledger.add("administrator.named.v1", {}, "authority/changes")
        else:
            ledger.observe("fares")
    ledger.seal()
    expected = {0: 8, 3: 0, 5: 4}[at]
    for kind, shown in (("full", expected), ("range", None), ("stream", None)):
        stream = "models/fares" if kind == "stream" else None
        plan = ledger.plan(kind, first=1 if kind == "full" else 4, stream=stream)
        ledger.write(tmp_path / kind, plan)
        policy = f"log {ledger.vkey}\nquorum none\n".encode()
        found = both(tmp_path / kind, policy)
        assert found.alone["callers believed up to"] == shown
        if shown is not None:
            said = " ".join(found.product.subject.facts.callers.believed.sentences(1, 8))
            assert (f"up to position {shown} were believed" in said) == bool(shown)
