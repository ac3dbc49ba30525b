"""Statements from outside the server: published checkpoints of its ledgers, and its policy."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.chain.checkpoint import claim_of
from ledger.chain.policy import PolicyError, WitnessPolicy, parse_policy
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.reading import NOTE_BYTES_MAX, read_plain

SILENT_LOSS_REMEDY: Final = (
    "Set checkpoints.published to the folder that `log publish` writes, or name a witness in "
    "checkpoints.policy; or consent with storage.accept_silent_loss = true."
)
_NAME: Final = "checkpoint"


@dataclass(frozen=True, slots=True)
class FoundCheckpoint:
    """A checkpoint that was found: where, what it claims, and the note."""

    path: Path
    origin: str
    size: int
    note: bytes


def read_published(place: str) -> list[FoundCheckpoint]:
    """Return the checkpoints at a path: one note, a folder of `log publish`, or several of those.

    None for an empty path, or where nothing was published yet. STORE_UNAVAILABLE where a file
    cannot be read or is no checkpoint: a server that is to compare must not start on it.
    """
    found = []
    for file in _files(Path(place)) if place else ():
        try:
            note = read_plain(file, NOTE_BYTES_MAX)
            claimed = claim_of(note)
        except (OSError, ValueError) as error:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"The published checkpoint {file} cannot be used: {str(error)[:300]}.",
                remedy="Correct `checkpoints.published`, or bring back what was published there.",
                metadata={"path": str(file)},
            ) from error
        found.append(FoundCheckpoint(file, claimed.origin, claimed.size, note))
    return found


def refuse_missing(published: Sequence[FoundCheckpoint], origins: Collection[str]) -> None:
    """Raise LEDGER_BEHIND where something was published of a ledger that is not among these."""
    for one in published:
        if one.origin not in origins:
            raise LedgerError(
                Reason.LEDGER_BEHIND,
                f"{one.path} is a checkpoint of {one.size} events of the ledger {one.origin}, but "
                "this database has no such ledger: 0 events.",
                remedy="Bring back that ledger's database, or correct `checkpoints.published`.",
                metadata={"ledger": one.origin, "size": str(one.size), "head": "0"},
            )


def refuse_rows_ahead(origin: str, head: int, reached: int, place: str) -> None:
    """Raise LEDGER_BEHIND where read models have seen events that are not there any more.

    For a file with its log beside it: a copy that was put in place comes without one.
    """
    if reached > head:
        raise LedgerError(
            Reason.LEDGER_BEHIND,
            f"The read models in {place} have seen {reached} events of the ledger {origin}; it has "
            f"{head}. Its log has lost its end.",
            remedy="Bring back the whole log, or restore a copy. If what lies there is a copy that "
            "was put in place, move the log (-wal and -shm) beside it elsewhere first.",
            metadata={"ledger": origin, "size": str(reached), "head": str(head)},
        )


def read_policy(path: str) -> WitnessPolicy:
    """Return the policy in a file, an empty one for no path; FIELD_INVALID for an invalid file."""
    if not path:
        return WitnessPolicy()
    try:
        return parse_policy(read_plain(Path(path), NOTE_BYTES_MAX))
    except (OSError, PolicyError) as error:
        raise invalid_field(
            "checkpoints.policy",
            f"{path} cannot be used: {error}",
            remedy="Correct the policy file, or the path to it.",
        ) from error


def silent_loss(database: str, published: str, policy: WitnessPolicy, *, is_accepted: bool) -> str:
    """Return why lost events would not be noticed at the next start; empty where they would be.

    Of a PostgreSQL database only, which a fail-over may replace by a standby that lacks events.
    `is_accepted`: the operator has consented.
    """
    is_shown = bool(published) or any(witness.url for witness in policy.witnesses)
    if is_shown or is_accepted or not database.startswith("postgres"):
        return ""
    return (
        "a fail-over of PostgreSQL may lose acknowledged events, and a server that starts after it "
        "cannot notice: nothing outside the database says how many there were"
    )


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif (path / _NAME).is_file():
        yield path / _NAME
    else:
        yield from sorted(path.glob(f"*/{_NAME}"))
