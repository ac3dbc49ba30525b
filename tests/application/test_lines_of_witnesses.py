"""Which line of a witness takes the one place that a checkpoint has for it.

Method: scripted witnesses whose clock, key or answers are not as they should be.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.chain.cosignature import (
    CosignerKey,
    parse_signature_lines,
    timestamp_of,
)
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import PolicyWitness, parse_policy
from ledger.storage import Store
from tests.support.ledger_with_witnesses import KEYS, SECONDS, Setting, cosigning, problem
from tests.support.scripted_witness import Answer, scripted_witness
from tests.support.server_process import until
from tests.support.stores import ORIGIN, grow
from tools.known_answers.mldsa_notes import Cosigner
from tools.known_answers.primitives import line as line_by


@pytest.fixture
def setting(store: Store, tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(store, tmp_path, stack)


def test_a_line_that_was_lost_is_asked_for_again_though_nothing_new_is_signed(
    setting: Setting,
) -> None:
    """Method: the witness cosigned and its answer was lost; the next server learns the size."""
    answers = cosigning(KEYS[0])
    lost: list[bytes] = []

    def script(path: str, body: bytes) -> Answer | None:
        if body and not lost:
            lost.append(body)
            return 503, b"gone\n"
        if body and body.startswith(b"old 0\n"):
            return 409, b"%d\n" % signed.size
        return answers(path, body)

    signed = setting.attestation.checkpoints.sign()
    witness, seen = setting.scripted(script)
    setting.collect(witness)
    until(lambda: setting.cosigned(signed.size))
    assert [body.partition(b"\n")[0] for _, body in seen if body] == [
        b"old 0",
        b"old 0",
        b"old %d" % signed.size,
    ]


def test_a_cosignature_from_the_future_takes_no_place_of_the_one_that_counts(
    setting: Setting,
) -> None:
    witness, seen = setting.scripted(cosigning(KEYS[0], ahead=[10**8, 301, 300]))
    setting.collect(witness)
    signed = setting.attestation.checkpoints.sign()
    until(lambda: setting.cosigned(signed.size))
    assert sum(bool(body) for _, body in seen) == 3
    (kept,) = setting.store.proofs.cosignatures(ORIGIN, signed.size)
    (line,) = parse_signature_lines(f"{kept.line}\n".encode())
    assert timestamp_of(line.signature) == SECONDS + 300


@pytest.mark.parametrize("seconds", [SECONDS, 0])
def test_a_cosignature_by_ml_dsa_is_kept_if_it_says_a_time(setting: Setting, seconds: int) -> None:
    cosigner = Cosigner("m.example.com", bytes([7]) * 32)

    def script(path: str, body: bytes) -> Answer:
        if not body:
            return 404, b""
        text = parse_note(body.partition(b"\n\n")[2]).text.decode()
        return 200, line_by(cosigner.name, cosigner.blob(text, seconds)).encode()

    url, _ = setting.stack.enter_context(scripted_witness(script))
    collector = setting.collect(PolicyWitness("m", CosignerKey.parse(cosigner.vkey), url))
    grow(setting.store, 3)
    signed = setting.attestation.checkpoints.sign()
    if seconds == 0:
        assert "is 0: it says no time" in problem(collector)
        assert setting.cosigned(signed.size) == []
        return
    until(lambda: setting.cosigned(signed.size) == [cosigner.name])
    policy = parse_policy(f"log {signed.vkey}\nwitness m {cosigner.vkey}\nquorum m\n".encode())
    whole = setting.attestation.checkpoints.of_size(signed.size)
    assert policy.check(whole.note.encode()).witnesses == ("m",)
