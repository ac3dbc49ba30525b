"""Attempts to get a fork accepted, by somebody who holds the log's database and key.

A thousand of them, ten thousand in the slow run.

Method: the attacker signs any head of any history. Three witnesses saw the honest log grow; the
attacker asks them in every way there is, shows them different things, and composes notes from all
that they ever signed. A client that wants two of three under a policy must accept none, and one
that remembers the honest head must tell each of them from it. The honest log goes on in between,
so that witnesses do answer.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest

from ledger.chain.cosignature import CosigningKey, add_cosignatures
from ledger.chain.heads import Relation, compare, head_of
from ledger.chain.note import InvalidSignatureError
from ledger.chain.policy import QuorumError, parse_policy
from ledger.chain.witness import encode_request
from ledger.witness.store import WitnessStore
from ledger.witness.witness import HttpResponse, Witness
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of
from tests.support.witnessed_log import LOG_KEY, NOW_SECONDS, ORIGIN, History, history

ATTEMPTS = [1_100, pytest.param(10_000, marks=pytest.mark.slow)]
GROWTH_EVERY = 200
LEAVES = 400
HONEST = history(LEAVES)
KEYS = [CosigningKey(f"witness.example.com/{n}", bytes([n]) * 32) for n in (1, 2, 3)]
POLICY = parse_policy(
    (
        f"log {LOG_KEY.verifier_key}\n"
        + "".join(f"witness w{n} {key.cosigner_key}\n" for n, key in enumerate(KEYS, 1))
        + "group quorum-of-two 2 w1 w2 w3\nquorum quorum-of-two\n"
    ).encode()
)


@cache
def forked(at: int, salt: int) -> History:
    """Return a history that parts from the honest one at a leaf."""
    return history(LEAVES, fork_at=at, salt=f"fork {salt}")


class World:
    """Three witnesses with a state each, the honest log, and all that was ever cosigned."""

    def __init__(self, folder: Path) -> None:
        clock = ManualClock(NOW_SECONDS * 1_000_000)
        logs = {ORIGIN: [LOG_KEY.verifier_key]}
        self.stores = [WitnessStore(folder / f"w{n}.sqlite") for n in range(3)]
        for store in self.stores:
            # Ten thousand commits need not reach the disk; that they do is shown elsewhere.
            database_of(store).execute("PRAGMA synchronous = OFF")
        self.witnesses = [
            Witness(store, key, logs, clock) for store, key in zip(self.stores, KEYS, strict=True)
        ]
        self.size = 0
        self.lines: dict[bytes, list[str]] = {}
        self.refused: Counter[int] = Counter()

    def ask(self, which: int, request: bytes, text: bytes) -> HttpResponse:
        """Ask a witness, and keep what it signs."""
        answer = self.witnesses[which].add_checkpoint(request)
        if answer.status == 200:
            self.lines.setdefault(text, []).append(answer.body.decode().rstrip("\n"))
        else:
            self.refused[answer.status] += 1
        return answer

    def grow(self, size: int) -> None:
        """Let the honest log grow, cosigned by all three."""
        text = HONEST.head(size).encode()
        for which in range(3):
            assert self.ask(which, HONEST.request(self.size, size), text).status == 200
        self.size = size
        assert POLICY.check(self.note_of(HONEST, size)).checkpoint.size == size

    def note_of(self, which: History, size: int) -> bytes:
        """Return a head with every cosignature that any witness ever made for it."""
        return add_cosignatures(which.note(size), self.lines.get(which.head(size).encode(), []))


Fork = tuple[History, int, list[tuple[int, bytes]]]
Attack = Callable[[World, int, int], Fork]  # the world, the attempt, where the fork parts


def plainly(world: World, n: int, at: int) -> Fork:
    """Ask all three for a larger head of one fork, with the fork's own proof."""
    fork = forked(at, n % 7)
    size = world.size + 1 + n % 20
    return fork, size, [(which, fork.request(world.size, size)) for which in range(3)]


def at_equal_size(world: World, n: int, at: int) -> Fork:
    """Ask for another root of the size that they know."""
    fork = forked(at, n % 7)
    return fork, world.size, [(which, fork.request(world.size, world.size)) for which in range(3)]


def at_smaller_size(world: World, n: int, at: int) -> Fork:
    """Ask for a fork of the past, as if it were their first request."""
    fork = forked(at, n % 7)
    size = at + 1 + n % (world.size - at)
    return fork, size, [(which, fork.request(0, size)) for which in range(3)]


def from_the_beginning(world: World, n: int, at: int) -> Fork:
    """Claim that they know nothing yet."""
    fork = forked(at, n % 7)
    size = world.size + 1 + n % 20
    return fork, size, [(which, fork.request(0, size)) for which in range(3)]


def with_the_honest_proof(world: World, n: int, at: int) -> Fork:
    """Ask for a forked head, with the proof of the honest one."""
    fork = forked(at, n % 7)
    size = world.size + 1 + n % 20
    request = encode_request(world.size, HONEST.proof(world.size, size), fork.note(size))
    return fork, size, [(which, request) for which in range(3)]


def with_a_bent_proof(world: World, n: int, at: int) -> Fork:
    """Ask with the fork's proof, one hash changed, dropped or added."""
    fork = forked(at, n % 7)
    size = world.size + 1 + n % 20
    proof: list[bytes] = list(fork.proof(world.size, size))
    place = n % len(proof)
    honest = HONEST.proof(world.size, size)
    bent = [
        [*proof[:place], honest[place], *proof[place + 1 :]],
        proof[:place] + proof[place + 1 :],
        [*proof, honest[place]],
    ][n % 3]
    request = encode_request(world.size, bent, fork.note(size))
    return fork, size, [(which, request) for which in range(3)]


def to_each_another(world: World, n: int, at: int) -> Fork:
    """Show each witness another fork, and hope for two that agree on the first one."""
    size = world.size + 1 + n % 20
    asked = [(which, forked(at, (n + which) % 7).request(world.size, size)) for which in range(3)]
    return forked(at, n % 7), size, asked


def as_a_first_step(world: World, n: int, at: int) -> Fork:
    """Take the honest head of a size they passed as the old one."""
    fork = forked(at, n % 7)
    size = world.size + 1 + n % 20
    return fork, size, [(which, fork.request(at, size)) for which in range(3)]


def with_borrowed_lines(world: World, n: int, at: int) -> Fork:
    """Put the cosignatures of the honest head under the forked one."""
    return forked(at, n % 7), world.size, []


def with_own_lines(world: World, n: int, at: int) -> Fork:
    """Sign in the witnesses' names with keys of one's own."""
    return forked(at, n % 7), world.size + 1 + n % 20, []


def replayed(world: World, n: int, at: int) -> Fork:
    """Replay an old honest request, to set a witness back and then go another way."""
    fork = forked(at, n % 7)
    size = at + 1 + n % 20
    asked = [(which, HONEST.request(0, at)) for which in range(3)]
    return fork, size, asked + [(which, fork.request(at, size)) for which in range(3)]


ATTACKS: list[Attack] = [
    plainly, at_equal_size, at_smaller_size, from_the_beginning, with_the_honest_proof,
    with_a_bent_proof, to_each_another, as_a_first_step, with_borrowed_lines, with_own_lines,
    replayed,
]  # fmt: skip


def composed(world: World, attack: Attack, fork: History, size: int) -> Iterator[bytes]:
    """Yield the notes that the attacker can show for a forked head."""
    yield world.note_of(fork, size)
    if attack is with_borrowed_lines:
        yield add_cosignatures(fork.note(size), world.lines[HONEST.head(world.size).encode()])
    if attack is with_own_lines:
        text = fork.head(size).encode()
        own = [CosigningKey(key.name, bytes([9 + n]) * 32) for n, key in enumerate(KEYS)]
        yield add_cosignatures(
            fork.note(size), [key.cosign(text, NOW_SECONDS).line() for key in own]
        )


def is_accepted(note: bytes, refusals: Counter[str]) -> bool:
    """Return whether the policy accepts a note, counting why not."""
    try:
        POLICY.check(note)
    except (QuorumError, InvalidSignatureError) as error:
        refusals[type(error).__name__] += 1
        return False
    return True


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.grow(40)
    yield made
    for store in made.stores:
        store.close()


def is_seen(world: World, fork: History, size: int) -> bool:
    """Return whether a holder of the honest head tells a fork when it is shown one."""
    proof = fork.proof(*sorted((world.size, size)))
    known, offered = head_of(HONEST.head(world.size)), head_of(fork.head(size))
    return compare(known, offered, proof).relation is Relation.FORK


@pytest.mark.parametrize("attempts", ATTEMPTS)
def test_no_fork_is_accepted_by_two_of_three(world: World, attempts: int) -> None:
    tried: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    accepted, seen = [], 0
    attacks = cycle(ATTACKS)
    for n in range(attempts):
        if n % GROWTH_EVERY == 0:
            world.grow(world.size + 1 + n % 7)
        attack = next(attacks)
        fork, size, requests = attack(world, n, 1 + n % 37)
        for which, request in requests:
            text = request.partition(b"\n\n")[2].rpartition(b"\n\n")[0] + b"\n"
            assert world.ask(which, request, text).status != 200
        notes = list(composed(world, attack, fork, size))
        accepted += [note for note in notes if is_accepted(note, refusals)]
        seen += is_seen(world, fork, size)
        tried[attack.__name__] += 1
    assert accepted == []
    assert tried.total() == seen == attempts
    assert set(tried) == {attack.__name__ for attack in ATTACKS}
    assert min(tried.values()) >= attempts // len(ATTACKS)
    assert set(refusals) == {"QuorumError", "InvalidSignatureError"}
    assert set(world.refused) == {409, 422}
    assert POLICY.check(world.note_of(HONEST, world.size)).witnesses == ("w1", "w2", "w3")


def test_one_witness_that_lies_is_not_enough(world: World) -> None:
    fork = forked(5, 0)
    size = world.size + 3
    text = fork.head(size).encode()
    lie = KEYS[0].cosign(text, NOW_SECONDS).line()
    with pytest.raises(QuorumError):
        POLICY.check(add_cosignatures(fork.note(size), [lie]))
    # Two that lie are: the quorum is the promise, and this shows that the test can tell.
    second = KEYS[1].cosign(text, NOW_SECONDS).line()
    verdict = POLICY.check(add_cosignatures(fork.note(size), [lie, second]))
    assert verdict.checkpoint == fork.head(size)


def test_witnesses_that_start_late_can_be_shown_a_fork_but_not_beside_the_honest_head(
    tmp_path: Path,
) -> None:
    late = World(tmp_path)
    fork = forked(5, 0)
    # w3 was not told about the honest log yet, so it believes the first head that it is shown.
    assert late.ask(2, fork.request(0, 40), fork.head(40).encode()).status == 200
    for which in (0, 1):
        assert late.ask(which, HONEST.request(0, 40), HONEST.head(40).encode()).status == 200
    assert POLICY.check(late.note_of(HONEST, 40)).witnesses == ("w1", "w2")
    with pytest.raises(QuorumError):
        POLICY.check(late.note_of(fork, 40))
    for which in (0, 1):
        assert late.ask(which, fork.request(40, 41), fork.head(41).encode()).status == 422
    assert late.ask(2, HONEST.request(40, 41), HONEST.head(41).encode()).status == 422
    for store in late.stores:
        store.close()


@pytest.mark.parametrize("size", [1, 2, 40])
def test_the_log_key_alone_signs_nothing_that_counts(size: int) -> None:
    with pytest.raises(QuorumError, match="no witness"):
        POLICY.check(HONEST.note(size))
