"""A witness answers as the protocol says, as a function and over HTTP, and never goes back.

Method: other people's sequences of requests; the two that race are run with the last two requests
truly at once, one stalled between its check and its store; and every kind of broken request.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.cosignature import CosigningKey, timestamp_of
from ledger.chain.heads import TreeHead
from ledger.chain.keys import SecretKey, VerifierKey
from ledger.chain.merkle import EMPTY_ROOT
from ledger.chain.note import Signature, open_note
from ledger.chain.witness import (
    AddCheckpoint,
    WitnessRefusalError,
    advance,
    encode_request,
    open_request,
)
from ledger.errors import LedgerError
from ledger.witness.server import WitnessServer
from ledger.witness.store import WitnessStore, origin_hash
from ledger.witness.witness import SIZE, TEXT, Witness
from tests.support.clocks import ManualClock
from tests.support.hooks import replace_lock
from tests.support.vectors import load_cases
from tests.support.witnessed_log import (
    LOG_KEY,
    NOW_SECONDS,
    ORIGIN,
    ask,
    history,
)

CASES = load_cases("witness_add_checkpoint.json")
RACES = [name for name in CASES if name.startswith("race-order-")]
LONG_SECONDS = 30.0


def logs_of(case: dict[str, Any]) -> dict[str, list[VerifierKey]]:
    return {case["log_origin"]: [VerifierKey.parse(case["log_vkey"])]}


def decided(
    known: TreeHead, body: bytes, logs: dict[str, list[VerifierKey]]
) -> tuple[int, str, TreeHead]:
    """Return status, body of a conflict and the head after a request, by the functions alone."""
    try:
        request = AddCheckpoint.parse(body)
        opened = open_request(request, logs)
        return 200, "", advance(known, request, opened.checkpoint)
    except WitnessRefusalError as refusal:
        return refusal.status, f"{refusal.known_size}\n", known


@pytest.mark.parametrize("name", CASES)
def test_sequence_known_answer_as_a_function(name: str) -> None:
    case = CASES[name]
    known = TreeHead()
    for step in case["steps"]:
        body = step["request"].encode()
        status, text, after = decided(known, body, logs_of(case))
        assert status == step["expect_status"]
        if status == 200:
            request = AddCheckpoint.parse(body)
            assert encode_request(request.old_size, request.proof, request.note) == body
        assert text == step.get("expect_body", text)
        assert after.size >= known.size
        known = after


def check_cosigned(request: bytes, answer: bytes, key: CosigningKey) -> None:
    """Check that an answer is a cosignature of the request's checkpoint."""
    note = AddCheckpoint.parse(request).note
    (line,) = open_note(note + answer, [key.cosigner_key]).verified
    assert answer == f"{line.line()}\n".encode()
    assert timestamp_of(line.signature) == NOW_SECONDS


@pytest.mark.parametrize("name", CASES)
def test_sequence_known_answer_over_http(
    name: str, store: WitnessStore, key: CosigningKey, clock: ManualClock
) -> None:
    case = CASES[name]
    witness = Witness(store, key, logs_of(case), clock)
    latest = f"/{origin_hash(case['log_origin'])}/checkpoint"
    with WitnessServer(witness, clock) as server:
        before = ask(server.port, "GET", latest)
        for step in case["steps"]:
            request = step["request"].encode()
            status, kind, body = ask(server.port, "POST", "/add-checkpoint", request)
            assert status == step["expect_status"]
            now = ask(server.port, "GET", latest)
            if status == 200:
                check_cosigned(request, body, key)
                text = open_note(now[2], [key.cosigner_key]).text
                assert text == AddCheckpoint.parse(request).claimed.encode()
            else:
                assert now == before  # what is refused changes nothing
                assert kind == (SIZE if status == 409 else TEXT)
                assert body.decode() == step.get("expect_body", body.decode())
            before = now


# ---- two requests at once ------------------------------------------------------------------------


class WatchedLock:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self, moved: threading.Event) -> None:
        self._lock = threading.Lock()
        self._moved = moved
        self.was_waited_for = False

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.was_waited_for = True
            self._moved.set()
            assert self._lock.acquire(timeout=LONG_SECONDS)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class StallingKey(CosigningKey):
    """A key that stalls its first cosignature, which is made between check and store."""

    def __init__(self, name: str, seed: bytes, until: Callable[[], None]) -> None:
        super().__init__(name, seed)
        self.stalled = threading.Event()
        self._until = until

    def cosign(self, text: bytes, seconds: int) -> Signature:
        if not self.stalled.is_set():
            self.stalled.set()
            self._until()
        return super().cosign(text, seconds)


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize("first", [1, 2])
def test_of_two_requests_at_once_the_later_one_learns_of_the_first(
    name: str,
    first: int,
    store: WitnessStore,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES[name]
    requests = [step["request"].encode() for step in case["steps"]]
    second = 3 - first
    answers: dict[int, tuple[int, str, bytes]] = {}
    # The other one waits for the lock, or, from a store that let it pass, it is done.
    moved = threading.Event()
    lock = WatchedLock(moved)
    replace_lock(store, lock, monkeypatch)

    def until_the_other_moved() -> None:
        assert moved.wait(LONG_SECONDS)

    plain = CosigningKey("witness.example.com", bytes(32))
    stalling = StallingKey(plain.name, bytes(32), until_the_other_moved)
    Witness(store, plain, logs_of(case), clock).add_checkpoint(requests[0])
    witness = Witness(store, stalling, logs_of(case), clock)

    with WitnessServer(witness, clock) as server:

        def send(which: int) -> None:
            answers[which] = ask(server.port, "POST", "/add-checkpoint", requests[which])
            if which == second:
                moved.set()

        threads = [threading.Thread(target=send, args=(which,)) for which in (first, second)]
        threads[0].start()
        assert stalling.stalled.wait(LONG_SECONDS)
        threads[1].start()
        for thread in threads:
            thread.join(LONG_SECONDS)
        latest = ask(server.port, "GET", f"/{origin_hash(case['log_origin'])}/checkpoint")[2]

    size = AddCheckpoint.parse(requests[first]).claimed.size
    assert lock.was_waited_for
    assert answers[first][0] == 200
    assert answers[second] == (409, SIZE, f"{size}\n".encode())
    assert parse_checkpoint(open_note(latest, [plain.cosigner_key]).text).size == size


def test_two_witnesses_on_one_file_cannot_pass_each_other(
    tmp_path: Path, key: CosigningKey, clock: ManualClock
) -> None:
    log = history(9)
    logs = {ORIGIN: [LOG_KEY.verifier_key]}
    path = tmp_path / "shared.sqlite"
    other = Witness(WitnessStore(path, busy_seconds=0.01), key, logs, clock)
    met: list[LedgerError] = []

    def meanwhile() -> None:
        try:
            other.add_checkpoint(log.request(3, 9))
        except LedgerError as error:
            met.append(error)

    Witness(WitnessStore(path), key, logs, clock).add_checkpoint(log.request(0, 3))
    slow = Witness(
        WitnessStore(path), StallingKey(key.name, bytes(range(32)), meanwhile), logs, clock
    )
    assert slow.add_checkpoint(log.request(3, 5)).status == 200
    assert [error.reason.value for error in met] == ["STORE_UNAVAILABLE"]
    answer = other.add_checkpoint(log.request(3, 9))
    assert (answer.status, answer.body) == (409, b"5\n")
    assert other.add_checkpoint(log.request(5, 9)).status == 200


# ---- requests of every broken kind ---------------------------------------------------------------

LOG = history(20)
GOOD = LOG.request(8, 13)
OLD, _, NOTE = GOOD.partition(b"\n\n")
STRANGER = SecretKey(ORIGIN, bytes(32))
FALSE = Signature(ORIGIN, LOG_KEY.verifier_key.key_id, bytes(64)).line().encode() + b"\n"
FOREIGN = LOG.note(13).replace(ORIGIN.encode(), b"other.example.com")

BROKEN: dict[str, tuple[int, bytes]] = {
    "nothing": (400, b""),
    "no checkpoint": (400, b"old 8\n\n"),
    "no empty line": (400, OLD + b"\n" + NOTE.replace(b"\n\n", b"\n")),
    "no size": (400, GOOD.replace(b"old 8", b"old ")),
    "a signed size": (400, GOOD.replace(b"old 8", b"old +8")),
    "a size with zeros": (400, GOOD.replace(b"old 8", b"old 08")),
    "a size in other digits": (400, GOOD.replace(b"old 8", "old \u0668".encode())),
    "a size beyond all": (400, GOOD.replace(b"old 8", b"old 9223372036854775808")),
    "another word": (400, GOOD.replace(b"old 8", b"new 8")),
    "carriage returns": (400, GOOD.replace(b"\n", b"\r\n")),
    "a hash that is no base64": (400, b"old 8\n!!!!\n\n" + NOTE),
    "a short hash": (400, b"old 8\nAAAA\n\n" + NOTE),
    "64 hashes": (400, b"old 8\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + NOTE),
    "a note that is none": (400, OLD + b"\n\nhello\n"),
    "a checkpoint that is none": (400, OLD + b"\n\n" + NOTE.replace(b"\n13\n", b"\n013\n")),
    "bytes that are no text": (400, OLD + b"\n\n\xff" + NOTE),
    "an old size too large": (400, encode_request(14, [], LOG.note(13))),
    "another log": (404, OLD + b"\n\n" + FOREIGN),
    "another key": (
        403,
        OLD + b"\n\n" + NOTE.rpartition(b"\n\n")[0] + b"\n\n"
        + Signature(ORIGIN, STRANGER.verifier_key.key_id, bytes(64)).line().encode() + b"\n",
    ),
    "a false signature": (403, OLD + b"\n\n" + NOTE.rpartition(b"\n\n")[0] + b"\n\n" + FALSE),
    "a false signature beside": (403, GOOD + FALSE),
    "another size in a signed text": (403, OLD + b"\n\n" + NOTE.replace(b"\n13\n", b"\n14\n")),
    "too small an old size": (409, LOG.request(5, 13)),
    "no old size": (409, LOG.request(0, 13)),
    "too large an old size": (409, LOG.request(9, 13)),
    "no proof": (422, encode_request(8, [], LOG.note(13))),
    "a proof too long": (422, encode_request(8, [*LOG.proof(8, 13), bytes(32)], LOG.note(13))),
    "another proof": (422, encode_request(8, LOG.proof(7, 13)[:3], LOG.note(13))),
    "a proof between equals": (422, encode_request(8, [bytes(32)], LOG.note(8))),
    "a fork": (422, history(20, fork_at=5, salt="!").request(8, 13)),
    "a fork of equal size": (422, history(20, fork_at=5, salt="!").request(8, 8)),
}  # fmt: skip


@pytest.fixture
def served(store: WitnessStore, key: CosigningKey, clock: ManualClock) -> Iterator[int]:
    """The port of a witness that knows the log at size 8."""
    witness = Witness(store, key, {ORIGIN: [LOG_KEY.verifier_key]}, clock)
    assert witness.add_checkpoint(LOG.request(0, 8)).status == 200
    with WitnessServer(witness, clock) as server:
        yield server.port


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_request_is_refused_and_changes_nothing(served: int, kind: str) -> None:
    status, body = BROKEN[kind]
    latest = f"/{origin_hash(ORIGIN)}/checkpoint"
    before = ask(served, "GET", latest)
    answered = ask(served, "POST", "/add-checkpoint", body)
    assert answered[0] == status
    if status == 409:
        assert answered[1:] == (SIZE, b"8\n")
    assert ask(served, "GET", latest) == before
    assert ask(served, "POST", "/add-checkpoint", GOOD)[0] == 200  # and the witness goes on


def test_an_empty_tree_has_one_root_only() -> None:
    request = AddCheckpoint.parse(encode_request(0, [], LOG.note(13)))
    odd = LOG.head(0)
    assert advance(TreeHead(), request, odd) == TreeHead(0, EMPTY_ROOT)
    forged = type(odd)(ORIGIN, 0, LOG.head(1).root)
    with pytest.raises(WitnessRefusalError) as caught:
        advance(TreeHead(), request, forged)
    assert caught.value.status == 422
