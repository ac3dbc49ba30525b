"""A ledger with witnesses around it, real and scripted, whose cosignatures are collected."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ledger.application.attestation import Attestation
from ledger.application.witnesses.cosigning import CosigningSetup
from ledger.application.witnesses.witnesses import CosignatureCollector
from ledger.application.workers import Workers
from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import (
    CosigningKey,
)
from ledger.chain.link import Digest
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import PolicyWitness, WitnessPolicy
from ledger.clock import SystemClock
from ledger.storage import Store
from ledger.witness.server import WitnessServer
from ledger.witness.store import WitnessStore
from ledger.witness.witness import Witness as WitnessPart
from tests.support.attested import attest
from tests.support.clocks import ManualClock
from tests.support.scripted_witness import Answer, Script, scripted_witness
from tests.support.server_process import until
from tests.support.stores import ORIGIN

KEYS = [CosigningKey(f"witness-{n}.example.com", bytes([n]) * 32) for n in (1, 2, 3)]
SECONDS = 1_767_225_600


class Setting:
    """A ledger with witnesses around it, all of which end with the test."""

    def __init__(self, store: Store, folder: Path, stack: ExitStack) -> None:
        self.store = store
        self.folder = folder
        self.stack = stack
        self.evidence = folder / "evidence"
        self.clock = ManualClock(SECONDS * 1_000_000)
        self.attestation = self.attest()

    def attest(self) -> Attestation:
        return attest(self.store, SystemClock(), evidence=self.evidence)

    def witness(self, number: int = 0) -> PolicyWitness:
        """Start a real witness of this ledger."""
        key = KEYS[number]
        opened = WitnessStore(self.folder / f"witness-{number}.sqlite")
        self.stack.callback(opened.close)
        logs = {ORIGIN: [k.verifier_key for k in self.store.keys.opened(ORIGIN).values()]}
        part = WitnessPart(opened, key, logs, self.clock)
        server = self.stack.enter_context(WitnessServer(part, SystemClock()))
        return PolicyWitness(f"w{number}", key.cosigner_key, f"http://127.0.0.1:{server.port}")

    def scripted(
        self, script: Script, number: int = 0
    ) -> tuple[PolicyWitness, list[tuple[str, bytes]]]:
        url, seen = self.stack.enter_context(scripted_witness(script))
        return PolicyWitness(f"w{number}", KEYS[number].cosigner_key, url), seen

    def collect(
        self, *witnesses: PolicyWitness, attestation: Attestation | None = None
    ) -> CosignatureCollector:
        """Begin to collect from these."""
        attestation = attestation or self.attestation
        setup = CosigningSetup(
            self.store,
            ORIGIN,
            attestation.checkpoints,
            attestation.prover,
            attestation.consistency,
            self.clock,
            timeout_seconds=60.0,
            pace_seconds=0.0,
            backoff_seconds=0.01,
        )
        collector = CosignatureCollector(setup, WitnessPolicy(witnesses=witnesses))
        workers = Workers(SystemClock())
        collector.start(workers)
        self.stack.callback(workers.stop)
        self.stack.callback(collector.stop)
        return collector

    def cosigned(self, size: int) -> list[str]:
        """Return who has cosigned a size."""
        return [each.name for each in self.store.proofs.cosignatures(ORIGIN, size)]

    def sign_elsewhere(self, size: int, root: bytes = b"z" * 32) -> bytes:
        """Sign a head with the ledger's own key, as a second history would have it."""
        key = next(iter(self.store.keys.opened(ORIGIN).values()))
        return sign(CheckpointBody(ORIGIN, size, Digest(root)), [key])


def cosigning(
    key: CosigningKey,
    change: Callable[[bytes], bytes] = lambda text: text,
    ahead: Sequence[int] = (0,),
) -> Script:
    """Return the script of a witness that signs whatever it gets, or something made of it.

    `ahead`: by how many seconds its clock is, at each request; the last of them from then on.
    """
    left = iter(ahead)
    late = ahead[-1]

    def script(path: str, body: bytes) -> Answer:
        if not body:
            return 404, b""
        text = parse_note(body.partition(b"\n\n")[2]).text
        return 200, f"{key.cosign(change(text), SECONDS + next(left, late)).line()}\n".encode()

    return script


def problem(collector: CosignatureCollector, number: int = 0) -> str:
    """Return what is the matter with a witness, as soon as something is."""
    until(lambda: collector.cosigners[number].problem)
    return collector.cosigners[number].problem
