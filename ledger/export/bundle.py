"""Writing a bundle: streamed, checked while it is written, taken up again where it was left.

The folder is complete once its tag manifest is there, which comes last. Until then `resume` reads
what is in it, keeps what holds, cuts off the rest, and says where to go on. Every header and
body is hashed on the way and the whole compared with the checkpoint, so a damaged ledger is never
exported as if it were none.
"""

import errno
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.link import GENESIS, EventRow
from ledger.chain.merkle import CompactRange
from ledger.errors import LedgerError, chain_broken
from ledger.export.archive import Archive
from ledger.export.bag import (
    DECLARATION,
    DECLARATION_FILE,
    INFO_FILE,
    MANIFEST_FILE,
    PAYLOAD,
    TAG_MANIFEST_FILE,
    TAGGED,
    bag_info,
    manifest,
)
from ledger.export.files import (
    CHECKPOINT,
    EVENTS,
    KEYS,
    PROOFS,
    REPORT,
    SCOPE,
    SEAL,
    VERIFIER,
    fault_of_size,
)
from ledger.export.lines import LineError, checked_line, parse_line
from ledger.export.proofs import TileProver, proof_line
from ledger.export.scope import BundlePlan
from ledger.export.tally import BundleTally
from ledger.private import make_folder, open_file

_BUFFER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FinishedBundle:
    """A finished bundle. `withheld`: bodies missing that the scope gives a reason for."""

    events: int
    withheld: int
    manifest_digest: bytes
    archive_bytes: int


class _Lines:
    """A file of lines that grows, with its digest."""

    def __init__(self, path: Path) -> None:
        self.file: IO[bytes] = open_file(path, "a+b", buffering=_BUFFER)
        self.file.seek(0)
        self.size = 0
        self.digest = hashlib.sha256()

    def keep(self, line: bytes) -> None:
        """Take up a line that is there already."""
        self.size += len(line)
        self.digest.update(line)

    def cut(self) -> None:
        """Cut off what was not taken up, and go on there."""
        self.file.seek(self.size)
        self.file.truncate()

    def write(self, lines: Sequence[bytes]) -> None:
        """Add lines at the end."""
        data = b"".join(lines)
        self.file.write(data)
        self.keep(data)

    def close(self) -> None:
        """Have everything on the disk, and close the file."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


class BundleWriter:
    """Writes one bundle into a folder of its own.

    Call `resume`, then `add` with every event after the position that it returned, then `finish`;
    `close` lets go of a bundle that is left unfinished. A partial bundle needs a prover of the
    checkpoint's tree.
    """

    def __init__(
        self,
        folder: Path,
        plan: BundlePlan,
        checkpoint: CheckpointBody,
        prover: TileProver | None = None,
    ) -> None:
        assert (prover is None) == (plan.kind == "full")
        if prover is not None and prover.root() != checkpoint.root:
            raise chain_broken(checkpoint.size, "the tree does not have the checkpoint's root")
        self._folder = folder
        self._plan = plan
        self._checkpoint = checkpoint
        self._prover = prover
        self._is_withholding = bool(plan.withholding.reason)
        self._tree = CompactRange()
        self._version = 0
        self._head: bytes = GENESIS
        self._files: dict[str, _Lines] = {}
        self.tally = BundleTally(plan)

    def resume(self) -> int:
        """Open the files, check what they hold, and return the position to go on after."""
        make_folder(self._folder / PAYLOAD)
        (self._folder / TAG_MANIFEST_FILE).unlink(missing_ok=True)
        names = (EVENTS,) if self._prover is None else (EVENTS, PROOFS)
        self._files = {name: _Lines(self._folder / name) for name in names}
        for lines in zip(*[kept.file for kept in self._files.values()], strict=False):
            try:
                self._take_up(lines)
            except (LedgerError, ValueError):
                break
            for kept, line in zip(self._files.values(), lines, strict=True):
                kept.keep(line)
        for kept in self._files.values():
            kept.cut()
        return self.tally.facts.last or self._plan.first_position - 1

    def _take_up(self, lines: Sequence[bytes]) -> None:
        """Take up one event that was written before; raise where that does not hold."""
        row = parse_line(lines[0], self._checkpoint.origin)
        line, is_gap = self._checked(row)
        if [line, *self._proofs([row])] != list(lines):
            raise LineError("it is not what would be written now")
        self._pass(row, is_gap=is_gap)
        self._tree.append(row[9])

    def add(self, rows: Iterable[EventRow]) -> None:
        """Write events in order of position; CHAIN_BROKEN where one does not hold."""
        lines: list[bytes] = []
        taken: list[EventRow] = []
        try:
            for row in rows:
                line, is_gap = self._checked(row)
                self._pass(row, is_gap=is_gap)
                lines.append(line)
                taken.append(row)
        except (AttributeError, TypeError) as error:  # SQLite stores any type
            raise chain_broken(
                self.tally.facts.last + 1, f"a column holds a value of another type: {error}"
            ) from error
        self._tree.extend([row[9] for row in taken])
        self._files[EVENTS].write(lines)
        if self._prover is not None:
            self._files[PROOFS].write(self._proofs(taken))

    def _checked(self, row: EventRow) -> tuple[bytes, bool]:
        """Return the line of the event that comes next, and whether it is without body."""
        position, stream, version, type_, prev_hash = row[0], row[1], row[2], row[3], row[8]
        plan, last = self._plan, self.tally.facts.last
        if plan.kind == "stream":
            if stream != plan.stream or version != self._version + 1 or position <= last:
                why = f"it is not version {self._version + 1} of {plan.stream}"
                raise chain_broken(position, why)
        elif position != (last + 1 if last else plan.first_position):
            raise chain_broken((last or plan.first_position - 1) + 1, f"found {position} there")
        if position == last + 1 and prev_hash != self._head:
            raise chain_broken(position, "its previous hash is not that of the event before it")
        is_withheld = self._is_withholding and plan.withholding.applies(type_, stream)
        line = checked_line(row, self._checkpoint.origin, is_withheld=is_withheld)
        return line, is_withheld or row[5] is None

    def _pass(self, row: EventRow, *, is_gap: bool) -> None:
        """Let an event pass: what comes next is judged by it."""
        self.tally.take(row, is_gap=is_gap)
        self._version, self._head = row[2], row[9]

    def _proofs(self, rows: Sequence[EventRow]) -> list[bytes]:
        """Return a line of `proofs.jsonl` for each event; CHAIN_BROKEN if it is not in the tree."""
        prover = self._prover
        if prover is None:
            return []
        lines = []
        for row in rows:
            if prover.leaf(row[0] - 1) != row[9]:
                raise chain_broken(row[0], "the tree has another event there")
            lines.append(proof_line(row[0], prover.proof(row[0] - 1)))
        return lines

    def finish(
        self,
        note: bytes,
        keys: bytes,
        report: Iterable[str],
        verifier: bytes,
        seal: bytes | None = None,
    ) -> FinishedBundle:
        """Write everything else and return what the bundle is; CHAIN_BROKEN if events are missing.

        The note is the checkpoint with its cosignatures, `keys` and `seal` are `keys.json` and, of
        a stream bundle, `seal.json`; `verifier` is the source of the stand-alone one. With the same
        plan, events and enclosures the bytes are the same.
        """
        plan, tally, stated = self._plan, self.tally, self._checkpoint
        if tally.facts.last != plan.last_position:
            why = f"{plan.last_position} is the last to be exported"
            raise chain_broken(tally.facts.last + 1, why)
        if plan.kind == "full" and (self._tree.size, self._tree.root()) != (
            stated.size,
            stated.root,
        ):
            raise chain_broken(stated.size, "the events do not have the root that was signed")
        digests = {name: kept.digest.hexdigest() for name, kept in self._files.items()}
        self.close()
        scope = tally.scope()
        digests[REPORT] = self._write(REPORT, (piece.encode() for piece in report))
        contents = {CHECKPOINT: note, KEYS: keys, SCOPE: scope.encode(), VERIFIER: verifier}
        if seal is not None:
            contents[SEAL] = seal
        digests |= {name: self._write(name, [content]) for name, content in contents.items()}
        listed = manifest(digests)
        payload = [(self._folder / name).stat().st_size for name in digests]
        info = bag_info(
            origin=stated.origin,
            requested_at=plan.requested_at,
            payload_bytes=sum(payload),
            payload_files=len(payload),
        )
        tags = {INFO_FILE: info, DECLARATION_FILE: DECLARATION, MANIFEST_FILE: listed}
        assert set(tags) == set(TAGGED)
        self._write(
            TAG_MANIFEST_FILE,
            [manifest({name: self._write(name, [content]) for name, content in tags.items()})],
        )
        return FinishedBundle(
            tally.facts.events,
            sum(ranges.count() for _, ranges in scope.withheld),
            hashlib.sha256(listed).digest(),
            Archive(self._folder, plan.name).size,
        )

    def close(self) -> None:
        """Close the files; what is in them stays for the next `resume`."""
        for kept in self._files.values():
            kept.close()
        self._files = {}

    def _write(self, name: str, pieces: Iterable[bytes]) -> str:
        """Write a file and return its digest; OSError for more than a verifier reads of it."""
        digest, size = hashlib.sha256(), 0
        with open_file(self._folder / name) as file:
            for piece in pieces:
                size += len(piece)
                if fault := fault_of_size(name, size):
                    raise OSError(errno.EFBIG, f"{name}: {fault}; export fewer events at once")
                file.write(piece)
                digest.update(piece)
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()
