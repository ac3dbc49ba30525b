"""What goes into a bundle, read from the ledger: rows, tiles, keys, the seal, replays."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from ledger.application.decisions.decisions import Decisions
from ledger.application.decisions.replay import Replayer
from ledger.application.exports.jobs import ExportJob
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.key_history import KeyHistory
from ledger.chain.merkle import leaf_hash, memory_reader, prove_inclusion, root_of
from ledger.chain.note import parse as parse_note
from ledger.chain.seal import seal_record
from ledger.errors import LedgerError, chain_broken
from ledger.events.canonical import decode
from ledger.events.decisions import DecisionMade, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PlanMade
from ledger.events.policies import DRAFTED_TYPES
from ledger.events.proving import StreamsSealed
from ledger.events.registry import typed
from ledger.events.values import format_time
from ledger.export.lines import EventRow, checked_line
from ledger.export.proofs import TileProver
from ledger.export.report import Replay
from ledger.export.scope import Withholding
from ledger.export.stream_seal import seal_json
from ledger.export.tally import Tally
from ledger.storage.records import RawEvent, StreamHead
from ledger.storage.store import Store

REPLAYS_MAX: Final = 100
"""Decisions and plans that a report shows computed again: the newest; a replay takes some ms."""

_PAGE: Final = 2_000


def stated(job: ExportJob) -> CheckpointBody:
    """Return the checkpoint that a job's bundle is proved against."""
    return parse_checkpoint(parse_note(job.note.encode()).text)


def prover(store: Store, origin: str, job: ExportJob) -> TileProver | None:
    """Return what proves the events of a partial bundle, reading tiles; None for a full one."""
    if job.kind == "full":
        return None
    return TileProver(job.checkpoint_size, partial(store.proofs.tiles, origin))


def pages(store: Store, origin: str, job: ExportJob, after: int) -> Iterator[Sequence[EventRow]]:
    """Yield the events of a job after a position, in pages."""
    if job.stream is None:
        for rows in store.events.rows_raw(origin, after=after, until=job.last_position):
            yield list(_timed(rows))
        return
    while events := store.events.read(
        origin, after=after, until=job.last_position, limit=_PAGE, streams=[job.stream]
    ):
        yield list(_timed(events))
        after = events[-1].position


def _timed(rows: Sequence[RawEvent]) -> Iterator[EventRow]:
    """Yield rows of the database as the writer takes them; those of one commit share their time."""
    micros, text = -1, ""
    for position, stream, version, type_, time, _, body, salt, body_hash, prev_hash, hash_ in rows:
        if time != micros:
            micros, text = time, format_time(time)
        yield position, stream, version, type_, text, body, salt, body_hash, prev_hash, hash_


def keys_json(store: Store, origin: str, size: int) -> bytes:
    """Return `keys.json` as the ledger has it at a size."""
    history = KeyHistory()
    for event in store.events.key_events(origin, until=size):
        history.apply(event.type, event.position, event.data)
    return history.to_json()


def newest_seal(store: Store, origin: str) -> tuple[RecordedEvent, StreamsSealed] | None:
    """Return the newest seal, None before the first."""
    events = store.events.of_types(origin, (StreamsSealed.TYPE,), limit=1, descending=True)
    return (events[0], typed(events[0], StreamsSealed)) if events else None


def stream_seal(store: Store, origin: str, job: ExportJob, tree: TileProver) -> bytes:
    """Return `seal.json` of a stream's bundle."""
    assert job.seal_position is not None
    event = store.events.event(origin, job.seal_position)
    assert event is not None, "the job names a seal that was there"
    seal = typed(event, StreamsSealed)
    leaves: list[bytes] = []
    index, record = -1, b""
    for head in store.proofs.stream_heads(origin, seal.as_of):
        if head.stream == job.stream:
            index, record = len(leaves), _record(head)
        leaves.append(leaf_hash(_record(head)))
    if root_of(leaves).hex() != seal.root or index < 0:
        raise chain_broken(event.position, "the seal is not that of the streams at its position")
    (row,) = _timed([event])
    return seal_json(
        event_line=checked_line(row, origin),
        inclusion=tree.proof(event.position - 1),
        record=record,
        record_inclusion=[
            each.hex() for each in prove_inclusion(index, len(leaves), memory_reader(leaves))
        ],
        record_index=index,
    )


def _record(head: StreamHead) -> bytes:
    return seal_record(
        event_hash=head.event_hash.hex(), stream=head.stream, stream_version=head.stream_version
    )


def replays(replayer: Replayer, tally: Tally) -> dict[int, Replay]:
    """Return what computing the newest decisions and plans of a bundle again gives."""
    positions = sorted(
        (
            position
            for kind in (DecisionMade.TYPE, PlanMade.TYPE)
            for position, _, _ in tally.newest[kind]
        ),
        reverse=True,
    )
    found = {}
    for position in positions[:REPLAYS_MAX]:
        result = replayer.replay(position)
        found[position] = Replay(result.outcome, result.why)
    return found


def reasons(decisions: Decisions, tally: Tally, withholding: Withholding) -> dict[int, str]:
    """Return why each of the newest decisions of a bundle came out so, as `decision explain` says.

    One is left out whose score or policy is withheld, for the sentences would tell of it, or that
    cannot be explained, since its score was erased, say.
    """
    found = {}
    for position, _, body in tally.newest[DecisionMade.TYPE]:
        data: Any = decode(body)["data"]
        policy, model = f"policies/{data['policy']}", f"models/{data['model']}"
        if withholding.applies(ScoreComputed.TYPE, model) or any(
            withholding.applies(type_, policy) for type_ in DRAFTED_TYPES
        ):
            continue
        try:
            _, explanation = decisions.explain(data["model"], position)
        except LedgerError:
            continue
        found[position] = explanation.paragraph
    return found
