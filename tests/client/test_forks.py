"""Forks by a forger with database and key: none is accepted, evidence is kept.

A thousand of them, ten thousand in the slow run.
Method: a client has verified the head of an honest history of sixty events. The forger signs
whatever he likes with the real key and answers every question as suits him. Each kind of lie is
told in hundreds of variants, drawn from its number alone, to the verification that both clients
carry out, and some of each through real clients and a real connection. Another client has no memory
but a policy of two witnesses out of three, of which the forger holds one.
"""

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from ledger.api.errors import to_status
from ledger.chain.cosignature import CosigningKey
from ledger.chain.note import Signature
from ledger.chain.policy import WitnessPolicy, parse_policy
from ledger.client import (
    AsyncLedgerClient,
    LedgerClient,
    ProofRefusedError,
    QuorumMissingError,
    TrustStore,
)
from ledger.client.errors import LedgerRefusedError
from ledger.client.options import ClientOptions
from ledger.client.retry import RetryOptions
from ledger.client.trust.verification import Verification
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.v1 import ledger_service_pb2, signal_service_pb2
from tests.support.forging import ORIGIN, SECONDS, Forge, carry_out, vkey
from tests.support.lies import HONEST, LIES, REAL, ROWS, SEEN, Lie, diverging, draw, other_origin

ATTEMPTS = [1_000, pytest.param(10_000, marks=pytest.mark.slow)]
WITNESSES = [CosigningKey(f"w{n}.example", bytes([n]) * 32) for n in (1, 2, 3)]
POLICY = "".join(
    [
        f"log {vkey(REAL)}\n",
        *(f"witness w{n} {w.cosigner_key}\n" for n, w in enumerate(WITNESSES, 1)),
        "group two 2 w1 w2 w3\nquorum two\n",
    ]
)


def settings(store: TrustStore, policy: WitnessPolicy | None = None) -> ClientOptions:
    return ClientOptions(
        "127.0.0.1:1", ORIGIN, "", 10.0, RetryOptions(), SystemClock(), store, policy
    )


def remembering(path: Path | None = None) -> TrustStore:
    """Return a store that has the real key pinned and remembers the head of sixty events."""
    store = TrustStore(path)
    store.pin(vkey(REAL))
    before = HONEST.copy()
    before.checkpoints = {SEEN: before.checkpoints[SEEN]}
    carry_out(before, Verification(settings(store)).checkpoint())
    return store


def test_the_honest_ledger_is_believed_all_the_while() -> None:
    store = remembering()
    for position in (1, SEEN, 100):
        proof = carry_out(HONEST, Verification(settings(store)).inclusion(position))
        assert proof.event_hash == HONEST.leaves[position - 1]
    assert carry_out(HONEST, Verification(settings(store)).checkpoint()).size == 100
    assert carry_out(HONEST, Verification(settings(store)).checkpoint(size=20)).size == 20
    assert store.evidence == []


@pytest.mark.parametrize("attempts", ATTEMPTS)
@pytest.mark.parametrize("kind", LIES)
def test_no_fork_is_accepted_against_a_remembered_checkpoint(kind: str, attempts: int) -> None:
    store = remembering()
    known = store.known(ORIGIN)
    assert known is not None
    for number in range(-(-attempts // len(LIES))):
        lie = LIES[kind](number)
        with pytest.raises(ProofRefusedError) as caught:
            carry_out(lie.forge, lie.ask(Verification(settings(store))))
        assert type(caught.value) is lie.error, caught.value
        evidence = store.evidence[-1]
        assert evidence.remembered in {known.note, HONEST.checkpoints[100].note}
        assert evidence.received == caught.value.received
        assert evidence.why == caught.value.why
        learnt = store.known(ORIGIN)
        assert learnt is not None
        # Only what the honest ledger has signed may have been learnt on the way.
        assert learnt.note in {known.note, HONEST.checkpoints[100].note}
        if learnt != known:
            store = remembering()


# ---- witnesses -----------------------------------------------------------------------------------


def forged_cosignatures(number: int, forge: Forge) -> None:
    """Cosign what the forger signed with everything that he has or has seen."""
    (size,) = forge.checkpoints
    honest_head = HONEST.copy()
    honest_head.cosign(SEEN, *WITNESSES)
    seen = honest_head.checkpoints[SEEN].note.rpartition("\n\n")[2].splitlines()
    mine = WITNESSES[0]
    shown = forge.checkpoints[size]
    text = shown.note.rpartition("\n\n")[0].encode() + b"\n"
    own = mine.cosign(text, SECONDS + number)
    lines = {
        0: [],
        1: [own.line()],
        2: [own.line(), mine.cosign(text, SECONDS + number + 1).line()],
        3: [own.line(), Signature("w2.example", own.key_id, own.signature).line()],
        4: [own.line(), seen[2]],
        5: seen[1:4],
        6: [
            own.line(),
            Signature("w2.example", WITNESSES[1].cosigner_key.key_id, own.signature).line(),
        ],
        7: [own.line(), CosigningKey("w9.example", bytes([9]) * 32).cosign(text, SECONDS).line()],
    }[number % 8]
    shown.note += "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("attempts", ATTEMPTS)
@pytest.mark.parametrize("kind", range(8))
def test_no_fork_is_accepted_by_a_client_that_asks_two_witnesses_of_three(
    kind: int, attempts: int
) -> None:
    policy = parse_policy(POLICY.encode())
    for attempt in range(attempts // 8):
        number = attempt * 8 + kind
        forge = diverging(number, size=draw(number, "size", 1 + SEEN, 100))
        forged_cosignatures(number, forge)
        (size,) = forge.checkpoints
        store = TrustStore()
        with pytest.raises(ProofRefusedError) as caught:
            carry_out(forge, Verification(settings(store, policy)).checkpoint(size=size))
        if isinstance(caught.value, QuorumMissingError):
            assert {"w2", "w3"} <= set(caught.value.missing)
        else:  # a line under a witness's name that is not genuine
            assert store.evidence[-1].received == forge.checkpoints[size].note
            assert "not genuine" in caught.value.why


def test_the_honest_head_passes_with_two_witnesses_and_not_with_one() -> None:
    policy = parse_policy(POLICY.encode())
    forge = HONEST.copy()
    forge.checkpoints[100].note = HONEST.checkpoints[100].note
    forge.cosign(100, WITNESSES[0])
    with pytest.raises(QuorumMissingError, match="not yet by w2, w3"):
        carry_out(forge, Verification(settings(TrustStore(), policy)).checkpoint(size=100))
    forge.cosign(100, WITNESSES[2])
    verified = carry_out(forge, Verification(settings(TrustStore(), policy)).checkpoint())
    assert verified.witnesses == ("w1", "w3")


# ---- through real clients ------------------------------------------------------------------------


class _Served(grpc.GenericRpcHandler):
    """Serves whatever forge is told to lie next."""

    forge: Forge

    def service(self, details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401
        name = details.method.rpartition("/")[2]
        module = signal_service_pb2 if name == "SubmitSignals" else ledger_service_pb2
        request_type = getattr(module, f"{name}Request")

        def behave(data: bytes, context: grpc.ServicerContext) -> bytes:
            forge = self.forge
            behaviour = forge.overrides.get(name) or getattr(forge, name)
            try:
                answer: bytes = behaviour(request_type.FromString(data)).SerializeToString()
            except LedgerRefusedError as error:
                refusal = LedgerError(error.reason, error.message)
                context.abort_with_status(rpc_status.to_status(to_status(refusal)))
                raise AssertionError("abort returned") from error
            return answer

        return grpc.unary_unary_rpc_method_handler(behave)


@contextmanager
def serving() -> Iterator[tuple[_Served, str]]:
    handler = _Served()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield handler, target
    finally:
        server.stop(None).wait()


def question(lie: Lie) -> str:
    """Return what a lie is told to, by its name among the client's methods."""
    steps: Any = lie.ask(Verification(settings(TrustStore())))
    return str(steps.__name__)


@pytest.mark.parametrize("is_async", [False, True])
def test_clients_raise_and_write_both_notes_down(tmp_path: Path, is_async: bool) -> None:  # noqa: FBT001
    """Method: twelve lies of each kind, told to the method that the kind is meant for."""
    store = remembering(tmp_path / "trust.json")
    known = store.known(ORIGIN)
    assert known is not None
    tried = 0
    with serving() as (handler, target):
        for kind in (
            "other_history_of_the_same_size",
            "other_suffix",
            "shorter",
            "replay_of_an_old_head",
            "other_origin",
            "unknown_key",
            "borrowed_signature",
            "batch_proven_in_a_forged_tree",
            "inclusion_in_a_forged_tree",
            "wrong_inclusion_proof",
            "key_that_was_not_committed",
        ):
            for number in range(12):
                lie = LIES[kind](number)
                handler.forge = lie.forge
                trust = remembering(tmp_path / f"{kind}-{number}" / "trust.json")
                error = (
                    asyncio.run(_ask_async(target, lie, trust, number))
                    if is_async
                    else _ask(target, lie, trust, number)
                )
                assert type(error) is lie.error
                assert error.evidence is not None
                kept = json.loads(error.evidence.read_text())
                assert kept["remembered"] in {known.note, HONEST.checkpoints[100].note}
                assert kept["received"] == error.received
                assert kept["kind"] in {"fork", "rollback", "refused"}
                assert str(error.evidence) in str(error)
                tried += 1
    assert tried == 132


def _ask(target: str, lie: Lie, trust: TrustStore, number: int) -> ProofRefusedError:
    position = draw(number, "position", 1, SEEN)
    with LedgerClient(target, ledger=ORIGIN, trust=trust) as client:
        calls: dict[str, Callable[[], object]] = {
            "checkpoint": client.verified_checkpoint,
            "inclusion": lambda: client.prove_inclusion(position),
            "submission": lambda: client.submit(ROWS, wait_for_checkpoint=True),
        }
        with pytest.raises(ProofRefusedError) as caught:
            calls[question(lie)]()
    return caught.value


async def _ask_async(target: str, lie: Lie, trust: TrustStore, number: int) -> ProofRefusedError:
    position = draw(number, "position", 1, SEEN)
    async with AsyncLedgerClient(target, ledger=ORIGIN, trust=trust) as client:
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "checkpoint": client.verified_checkpoint,
            "inclusion": lambda: client.prove_inclusion(position),
            "submission": lambda: client.submit(ROWS, wait_for_checkpoint=True),
        }
        with pytest.raises(ProofRefusedError) as caught:
            await calls[question(lie)]()
    return caught.value


def test_a_client_without_a_name_for_its_ledger_stays_with_the_one_it_was_first_given() -> None:
    store = TrustStore()
    asked = ClientOptions("127.0.0.1:1", "", "", 10.0, RetryOptions(), SystemClock(), store)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        carry_out(HONEST, Verification(asked).checkpoint())
    assert "at its own word" in str(said[0].message)
    other = other_origin(1)
    with pytest.raises(ProofRefusedError, match="answered with a checkpoint of"):
        carry_out(other.forge, Verification(asked).checkpoint())
