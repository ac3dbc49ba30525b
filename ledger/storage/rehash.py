"""Stored rows are hashed again before a tree over them is signed, here or in a process of its own.

An event is not believed because it is stored: header and body of each row are hashed as
they are, linked, and put into the tree that was signed before. The result is compared with the
stored head by the signer. Scores, decisions and plans among them must have been recorded while
nothing had come in between that bears on them; a start looks at those too.
"""

import os
from collections.abc import Callable
from functools import cache, partial
from typing import Final, NamedTuple

from ledger.chain.link import hash_page
from ledger.chain.merkle import CompactRange
from ledger.clock import SystemClock
from ledger.errors import chain_broken
from ledger.events.horizons import (
    CONCERNED_TYPES,
    Bearing,
    HorizonFacts,
    Horizons,
    facts_of,
)
from ledger.events.signals import OBSERVED_TYPES
from ledger.storage.database import beyond_head, misindexed, open_database, unavailable
from ledger.storage.event_rows import timed
from ledger.storage.events import Events
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import Head
from ledger.storage.vault import SealedKeys
from ledger.worker_process import WorkerDiedError, WorkerProcess

INLINE_EVENTS_MAX: Final = 2_000  # above: cheaper to ask the other process than to hash here
_PAGE: Final = 1_000
_OBSERVATIONS: Final = Bearing(None, frozenset(OBSERVED_TYPES))
NICENESS: Final = 5  # the process gives way to the server that appends meanwhile


class Rehashed(NamedTuple):
    """Where hashing led: the last event's hash, and the tree over everything up to it."""

    event_hash: bytes
    tree: CompactRange


def rehash(
    recorded: Events, ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange
) -> Rehashed:
    """Hash the rows from `first` to `last` again, after the event with `prev_hash`.

    `tree` is that of all events before `first`; it is left as it is. CHAIN_BROKEN names the first
    row that is not what its hash says, is not linked, was recorded before the one before it, is not
    found as what it is, has a broken horizon, or is missing; STORE_UNAVAILABLE where the database
    does not give them.
    """
    assert tree.size == first - 1
    grown, at = tree.copy(), first
    before = recorded.event(ledger, first - 1)
    recorded_at = 0 if before is None else before.recorded_at
    horizons = Horizons(first - 1, partial(recorded.bearing, ledger))
    for page in recorded.rows_raw(ledger, after=first - 1, until=last):
        leaves = hash_page(list(timed(page)), ledger, at, prev_hash)
        for row in page:
            if row[4] < recorded_at:
                raise chain_broken(row[0], "it was recorded before the event before it")
            recorded_at = row[4]
            if (row[5] is None) == (row[3] in OBSERVED_TYPES):
                raise misindexed(row[0], is_observation=row[5] is None)
            if row[3] in CONCERNED_TYPES:
                _refuse_broken(horizons, facts_of(row[0], row[1], row[3], row[6]))
        grown.extend(leaves)
        at, prev_hash = at + len(leaves), leaves[-1]
    if at != last + 1:
        raise chain_broken(at, f"it is missing; events up to {last} were appended")
    return Rehashed(prev_hash, grown)


def check_horizons(recorded: Events, ledger: str, after: int, until: int) -> None:
    """Refuse with CHAIN_BROKEN the first event of a stretch whose horizon is broken.

    Finds scores, decisions and plans, and what bears on them, by index, and hashes nothing.
    """
    horizons = Horizons(after, partial(recorded.bearing, ledger))
    while page := recorded.of_types(
        ledger, CONCERNED_TYPES, after=after, at_or_before=until, limit=_PAGE
    ):
        for event in page:
            facts = facts_of(event.position, event.stream, event.type, event.body_bytes)
            _refuse_broken(horizons, facts)
        after = page[-1].position


def refuse_misplaced(recorded: Events, ledger: str, head: Head) -> None:
    """Raise CHAIN_BROKEN where events go on behind the head of the same moment.

    Also where the row of an observation has no time, over which no hash is: it is not found.
    """
    for position, _ in recorded.bearing(ledger, _OBSERVATIONS, 0, head.position, 1):
        raise misindexed(position, is_observation=True)
    for event in recorded.read(ledger, after=head.position, limit=1):
        raise beyond_head(event.position, head.position)


def _refuse_broken(horizons: Horizons, facts: HorizonFacts) -> None:
    if (fault := horizons.take(facts)) is not None:
        raise chain_broken(facts.position, fault)


Rehash = Callable[[str, int, int, bytes, CompactRange], Rehashed]
"""Takes a ledger, first and last position, the hash before the first, and the tree before it."""


class RehashProcess:
    """Hashes in a process of its own, so that it takes no time from the one that appends.

    Safe between threads, which wait for each other.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process = WorkerProcess()

    def rehash(
        self, ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange
    ) -> Rehashed:
        """Hash a batch as the function `rehash` does; STORE_UNAVAILABLE if the process failed."""
        try:
            return self._process.call(
                _rehash_there, self._url, ledger, first, last, prev_hash, tree
            )
        except WorkerDiedError as error:
            raise unavailable(
                f"The process that hashes events before they are signed failed: {error}.",
                remedy="It is started again with the next checkpoint; see the log if this goes on.",
            ) from error

    def close(self) -> None:
        """End the process; one that hashes is not waited for."""
        self._process.close()


def _rehash_there(
    url: str, ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange
) -> Rehashed:
    return rehash(_opened(url), ledger, first, last, prev_hash, tree)


@cache
def _opened(url: str) -> Events:
    """Return the events of a database, opened once in the process that hashes."""
    database = open_database(url, read_only=True)
    try:
        database.prepare(SealedKeys(None, None, SystemClock(), read_only=True))
    except BaseException:
        database.close()
        raise
    os.nice(NICENESS)
    return Events(ReadConnections(database))


def rehasher(recorded: Events, process: RehashProcess | None = None) -> Rehash:
    """Return what hashes events again; all of them here where there is no process to ask."""

    def again(ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange) -> Rehashed:
        if process is None or last - first < INLINE_EVENTS_MAX:
            return rehash(recorded, ledger, first, last, prev_hash, tree)
        return process.rehash(ledger, first, last, prev_hash, tree)

    return again
