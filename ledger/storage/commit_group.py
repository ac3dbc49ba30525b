"""One group of requests that commit together: each decided alone, then written at once.

A CommitGroup lives in one transaction. `admit` either places a request's events after all that the
group already holds, or raises that request's own LedgerError and changes nothing; so a refusal
never touches a neighbour. `write` stores all that was admitted. If the transaction then fails, the
Chains that took part no longer say what the database says: the caller forgets them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, select

from ledger.chain.link import GENESIS, SALT_BYTES, header_bytes
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field, request_id_reused
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import format_time
from ledger.storage.chains import Chain, load_chain
from ledger.storage.checks import (
    RequestKey,
    bodies_of,
    check_before,
    check_tracking,
    conflict,
    read_tracking,
    request_key,
    request_row,
    set_tracking,
)
from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH, Database
from ledger.storage.event_queries import NEWEST_OF_STREAM, count_of_types, newest_of_types
from ledger.storage.records import (
    AppendRequest,
    AppendResult,
    Guard,
    Head,
    LedgerInfo,
    NewEvent,
    Place,
)
from ledger.storage.repeats import RepeatFinder
from ledger.storage.schema import events, heads, requests
from ledger.storage.tile_rows import write_tiles
from ledger.storage.vault import SealedKeys, keep_keys
from ledger.storage.wall_clock import WallClock, check_leap

_STREAM: Final = EVENT_COLUMNS.index("stream")

_sha256 = hashlib.sha256

_HEADS = (
    select(heads)
    .where(heads.c.ledger_id.in_(bindparam("ids", expanding=True)))
    .order_by(heads.c.ledger_id)
)
_KNOWN = (
    select(
        requests.c.request_id,
        requests.c.digest,
        requests.c.first_position,
        requests.c.last_position,
        events.c.recorded_at,
        events.c.event_hash,
    )
    .outerjoin(  # an answer that placed nothing in an empty ledger names no event
        events,
        and_(
            events.c.ledger_id == requests.c.ledger_id,
            events.c.position == requests.c.last_position,
        ),
    )
    .where(
        requests.c.ledger_id == bindparam("ledger_id_"),
        requests.c.actor == bindparam("actor_"),
        requests.c.method == bindparam("method_"),
        requests.c.request_id.in_(bindparam("ids", expanding=True)),
    )
)
_SET_HEAD = heads.update().where(heads.c.ledger_id == bindparam("id_"))


class CommitGroup:
    """The requests of one transaction, to be used on one thread while it is open."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        clock: Clock,
        chains: dict[int, Chain],
        keys: SealedKeys,
        times: WallClock,
    ) -> None:
        """`chains` is the writer's memory between groups, keyed by ledger_id; it is updated."""
        self._database = database
        self._connection = connection
        self._clock = clock
        self._chains = chains
        self._keys = keys
        self._times = times
        self._sealed: dict[int, dict[str, bytes]] = {}
        self._rows: list[Any] = []
        self._leaves: dict[int, list[bytes]] = {}
        self._known: dict[RequestKey, tuple[bytes, AppendResult]] = {}
        self._request_rows: list[dict[str, Any]] = []
        self._fresh: dict[tuple[int, str], list[tuple[str, int]]] = {}
        self._tracked: dict[tuple[int, str], int] = {}
        self._repeats = RepeatFinder(connection, self._rows)

    def begin(self, infos: Iterable[LedgerInfo], keys: Sequence[RequestKey]) -> None:
        """Lock the heads of the ledgers that take part, and look up the request ids at once."""
        by_id = {info.ledger_id: info for info in infos}
        statement = _HEADS.with_for_update() if self._database.shared else _HEADS
        for row in self._connection.execute(statement, {"ids": list(by_id)}):
            chain = self._chains.get(row.ledger_id)
            if chain is None or not chain.is_at(row):
                self._keys.check_head(self._connection, by_id[row.ledger_id], row)
                self._chains[row.ledger_id] = load_chain(
                    self._connection, row, by_id[row.ledger_id], chain
                )
            else:
                chain.recent.trim()
        if keys:
            self._look_up(keys)

    def newest_time(self, info: LedgerInfo) -> int:
        """Return when the newest event of a ledger that takes part was recorded."""
        return self._chains[info.ledger_id].recorded_at

    def knows(self, key: RequestKey) -> bool:
        """Return whether a request id that `begin` looked up was used before."""
        return key in self._known

    def check_guards(self, info: LedgerInfo, guards: Iterable[Guard]) -> None:
        """Refuse unless all guards hold on a ledger that takes part."""
        for guard in guards:
            self._check_guard(self._chains[info.ledger_id], guard)

    def admit(self, info: LedgerInfo, request: AppendRequest) -> AppendResult:
        """Place a request's events, or raise its LedgerError and change nothing."""
        self._check_deadline(request)
        chain = self._chains[info.ledger_id]
        key = request_key(info, request)
        if key is not None and (known := self._known.get(key)) is not None:
            digest, result = known
            if digest != request.digest:
                places = {
                    "first_position": str(result.first_position),
                    "last_position": str(result.last_position),
                }
                raise request_id_reused(key.request_id, key.actor, key.method, **places)
            duplicates = self._repeats.found_before(info.ledger_id, request, result)
            return replace(result, repeated=True, duplicates=duplicates)
        self._check_tracking(info, request)
        self.check_guards(info, request.guards)
        first = chain.position + 1
        recorded_at = self._time_of(chain, request)
        bodies: Sequence[bytes] = bodies_of(request.events, Place(first, recorded_at))
        self._learn_versions(chain, [event.stream for event in request.events])
        sealed = {
            str(key.verifier_key): self._keys.sealed(self._connection, key) for key in request.keys
        }
        new, bodies, duplicates = self._repeats.told_apart(
            info.ledger_id, chain.recent, first, request, bodies
        )
        # From here on nothing refuses.
        if sealed:
            self._sealed.setdefault(info.ledger_id, {}).update(sealed)
        self._extend(chain, new, bodies, recorded_at)
        result = AppendResult(
            first, chain.position, chain.recorded_at, chain.event_hash, duplicates=duplicates
        )
        if key is not None:
            self._known[key] = (request.digest, result)
            self._request_rows.append(request_row(key, request.digest, first, chain.position))
        if request.tracking is not None:
            self._tracked[(info.ledger_id, request.tracking[0])] = request.tracking[1]
        return result

    def write(self) -> dict[int, Chain]:
        """Store what was admitted; returns the chains whose heads moved."""
        connection = self._connection
        if self._rows:
            self._database.insert_events(connection, self._rows)
        if self._request_rows:
            connection.execute(requests.insert(), self._request_rows)
        for (ledger_id, consumer), position in self._tracked.items():
            set_tracking(connection, ledger_id, consumer, position)
        for ledger_id, sealed in self._sealed.items():
            keep_keys(connection, ledger_id, sealed)
        moved = {}
        for ledger_id, leaves in self._leaves.items():
            chain = self._chains[ledger_id]
            write_tiles(connection, ledger_id, chain.edge.extend(leaves))
            head = Head(
                chain.position,
                chain.event_hash,
                chain.recorded_at,
                chain.newest_observed_at,
                chain.edge.tree.to_bytes(),
            )
            seal = self._keys.head_seal(connection, chain.info, head)
            connection.execute(_SET_HEAD, {"id_": ledger_id, **asdict(head), "seal": seal})
            moved[ledger_id] = chain
        if moved:
            self._database.announce(connection)
        return moved

    # ---- deciding ----------------------------------------------------------------------------

    def _check_deadline(self, request: AppendRequest) -> None:
        deadline = request.deadline_monotonic
        if deadline is not None and self._clock.monotonic_seconds() > deadline:
            raise LedgerError(
                Reason.DEADLINE_EXCEEDED,
                "The deadline passed while the request was queued; nothing was written.",
                remedy="Send it again, with more time or in larger batches.",
            )

    def _check_tracking(self, info: LedgerInfo, request: AppendRequest) -> None:
        if request.tracking is None:
            return
        consumer, position = request.tracking
        known = self._tracked.get((info.ledger_id, consumer))
        if known is None:
            known = read_tracking(self._connection, info.ledger_id, consumer)
        check_tracking(consumer, known, position)

    def _check_guard(self, chain: Chain, guard: Guard) -> None:
        """Refuse unless the guard holds, counting what this group has placed already."""
        ledger_id = chain.info.ledger_id
        check_before(guard, chain.info.clock, chain.newest_observed_at)
        if guard.observed_at is not None and guard.stream is not None:
            newest = self._repeats.newest_of_time(ledger_id, guard.stream, guard.observed_at)
            if newest > (guard.after_position or 0):
                raise conflict(guard, f"an observation of that time at position {newest}", newest)
            return
        assert guard.types is None or not guard.types & {*OBSERVED_TYPES}, "not indexed by type"
        fresh = [
            position
            for type_, position in self._placed_in(ledger_id, guard.stream)
            if guard.types is None or type_ in guard.types
        ]
        if guard.expected_count is not None:
            found = self._count(chain, guard, len(fresh))
            if found != guard.expected_count:
                raise conflict(guard, f"{found} events instead of {guard.expected_count}", found)
        if guard.after_position is not None:
            after = guard.after_position
            newest = max(fresh, default=0)
            if newest <= after:
                newest = self._newest(chain, guard) or 0
            if newest > after:
                raise conflict(
                    guard,
                    f"an event at position {newest}, after position {after}",
                    newest,
                )

    def _placed_in(self, ledger_id: int, stream: str | None) -> Sequence[tuple[str, int]]:
        """Return type and position of what this group has placed in a stream, or in all."""
        if stream is not None:
            return self._fresh.get((ledger_id, stream), ())
        return [one for key, some in self._fresh.items() if key[0] == ledger_id for one in some]

    def _count(self, chain: Chain, guard: Guard, fresh: int) -> int:
        """Return how many events a guard's stream has of its types, this group's included."""
        assert guard.stream is not None, "events of all streams are not counted"
        if guard.types is None:
            self._learn_versions(chain, [guard.stream])
            return chain.versions[guard.stream]
        asked = _asked(chain.info.ledger_id, guard)
        return int(self._connection.execute(count_of_types(), asked).scalar_one()) + fresh

    def _newest(self, chain: Chain, guard: Guard) -> int | None:
        """Return the newest stored position of a guard's stream and types.

        Of any type also the newest of this group, whose observations are not kept by stream.
        """
        asked = _asked(chain.info.ledger_id, guard)
        if guard.types is None:
            assert guard.stream is not None, "all streams are looked through by types"
            row = self._connection.execute(NEWEST_OF_STREAM, asked).first()
            position, version = (0, 0) if row is None else row
            self._learn_versions(chain, [guard.stream])
            return chain.position if chain.versions[guard.stream] > version else position
        statement = newest_of_types(of_stream=guard.stream is not None)
        newest: int | None = self._connection.execute(statement, asked).scalar()
        return newest

    def _time_of(self, chain: Chain, request: AppendRequest) -> int:
        """Return when the request's events count as recorded; time never runs backwards."""
        if chain.info.clock == "wall":
            now = self._times.now(chain.info, lambda: chain.recorded_at)
            return max(chain.recorded_at, now)
        stated = request.stated_time
        if stated is None:
            return chain.recorded_at
        try:
            format_time(stated)
        except ValueError as error:
            raise invalid_field("stated_time", str(error)) from error
        check_leap(chain.info, chain.newest_observed_at, request)
        return max(chain.recorded_at, stated)

    # ---- placing -----------------------------------------------------------------------------

    def _extend(
        self, chain: Chain, new: Sequence[NewEvent], bodies: Sequence[bytes], recorded_at: int
    ) -> None:
        """Hash the events onto the chain and keep their rows."""
        if not new:
            return
        ledger_id, origin = chain.info.ledger_id, chain.info.origin
        versions, position, previous = chain.versions, chain.position, chain.event_hash
        newest = chain.newest_observed_at
        time_text = format_time(recorded_at)
        salts = self._clock.random_bytes(SALT_BYTES * len(new))
        leaves = self._leaves.setdefault(ledger_id, [])
        keep = self._rows.extend
        at = 0
        for (stream, type_, _, observed_at), body in zip(new, bodies, strict=True):
            salt = salts[at : at + SALT_BYTES]
            at += SALT_BYTES
            position += 1
            version = versions[stream] + 1
            versions[stream] = version
            body_hash = _sha256(b"\x02" + salt + body).digest()
            header = header_bytes(
                body_hash=body_hash.hex(),
                ledger=origin,
                position=position,
                prev_hash=previous.hex(),
                recorded_at=time_text,
                stream=stream,
                stream_version=version,
                type_=type_,
            )
            event_hash = _sha256(b"\x00" + header).digest()
            keep(
                (
                    ledger_id,
                    position,
                    stream,
                    version,
                    type_,
                    recorded_at,
                    observed_at,
                    body,
                    salt,
                    body_hash,
                    previous,
                    event_hash,
                )
            )
            leaves.append(event_hash)
            previous = event_hash
            if observed_at is None:
                self._fresh.setdefault((ledger_id, stream), []).append((type_, position))
            elif newest is None or observed_at > newest:
                newest = observed_at
        chain.position, chain.event_hash = position, previous
        chain.recorded_at, chain.newest_observed_at = recorded_at, newest

    # ---- reading -----------------------------------------------------------------------------

    def _look_up(self, keys: Sequence[RequestKey]) -> None:
        """Learn the answers that were given to these request ids before."""
        by_caller: dict[tuple[int, str, str], set[str]] = {}
        for key in keys:
            by_caller.setdefault(key[:3], set()).add(key.request_id)
        for (ledger_id, actor, method), ids in by_caller.items():
            values = {"ledger_id_": ledger_id, "actor_": actor, "method_": method, "ids": [*ids]}
            for row in self._connection.execute(_KNOWN, values):
                request_id, digest, first, last, recorded_at, event_hash = row
                key = RequestKey(ledger_id, actor, method, request_id)
                result = AppendResult(first, last, recorded_at or 0, event_hash or GENESIS)
                self._known[key] = (digest, result)

    def _learn_versions(self, chain: Chain, streams: Sequence[str]) -> None:
        """Make sure that the version of every stream named is known; 0 for a new stream."""
        chain.learn_versions(self._connection, streams, self._placed)

    def _placed(self) -> set[str]:
        """Return the streams that this group has touched."""
        return {self._rows[at] for at in range(_STREAM, len(self._rows), EVENT_WIDTH)}


def _asked(ledger_id: int, guard: Guard) -> dict[str, Any]:
    """Return the values of a question about a guard's stream and types, as far as it has them."""
    asked: dict[str, Any] = {"ledger_id_": ledger_id}
    if guard.stream is not None:
        asked["stream_"] = guard.stream
    if guard.types is not None:
        asked["types_"] = sorted(guard.types)
    return asked
