"""Getting a bundle from a server: asked for once, followed, fetched, and resumed after a break.

Beside the bundle's place is a note of what was asked under which request id, until the bundle
is there. The same command again finds it, gets the same export, and goes on where it stopped.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ledger.audit.report import Report
from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError, UnreachableError, refused
from ledger.client.proofs import Export
from ledger.clock import Clock, uuid7
from ledger.errors import Reason
from ledger.events.proving import ExportIssued
from ledger.export.files import open_bundle
from ledger.operations import Move
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.private import make_folder, open_file
from ledger.reading import NOTE_BYTES_MAX, parse_json, read_text

_POLL_SECONDS: Final = 0.2
_TRIES: Final = 5  # in a row without a byte more

_Wait = Callable[[float], object]


class BundleDownload:
    """One bundle on its way to one place: a `.tar` file, or else a folder."""

    def __init__(self, client: LedgerClient, out: Path, wait: _Wait) -> None:
        if out.exists():
            raise MisuseError(f"{out} is there already.", "Name another place, or move it away.")
        self._client = client
        self._out = out
        self._wait = wait
        self._asked = out.with_name(f"{out.name}.asked")
        self.archive = out.with_name(f"{out.name}.part")
        """The part received so far, as a tar archive."""

    def ask(self, asked: dict[str, Any], clock: Clock) -> Export:
        """Create the export, or find the one that the same command created before."""
        request_id, before = uuid7(clock), ""
        if self._asked.exists():
            known = self._known()
            if known["asked"] != json.loads(json.dumps(asked, default=str)):
                raise MisuseError(
                    f"{self._asked} is of another export that was not finished.",
                    "Finish that with the same command again, or delete the file and its .part.",
                )
            request_id, before = known["request_id"], known.get("export", "")
        note = {"asked": asked, "request_id": request_id, "export": before}
        make_folder(self._asked.parent)
        self._note(note)
        try:
            export = self._client.create_export(**asked, request_id=request_id)
        except LedgerRefusedError:
            self._asked.unlink()  # nothing came of it, so the next command asks again
            raise
        if export.name != before:  # what has come so far is of another one
            self.archive.unlink(missing_ok=True)
            note["export"] = export.name
            self._note(note)
        return export

    def _note(self, note: dict[str, Any]) -> None:
        with open_file(self._asked, "w") as file:
            json.dump(note, file, default=str)

    def _known(self) -> dict[str, Any]:
        """Return what was asked before."""
        try:
            known = parse_json(read_text(self._asked, NOTE_BYTES_MAX))
            if isinstance(known["asked"], dict) and isinstance(known["request_id"], str):
                return dict(known)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise MisuseError(
            f"{self._asked} does not say what was asked for.", "Delete it and its .part."
        )

    def follow(self, export: Export, move: Move) -> Export:
        """Wait until the server has written the bundle; EXPORT_NOT_READY if it gave up."""
        while export.state == "WRITING":
            self._wait(_POLL_SECONDS)
            export = self._client.get_export(export.name)
            move(export.events_done, export.events_total)
        if export.state == "FAILED":
            self.forget()
            raise refused(
                Reason.EXPORT_NOT_READY,
                f"The export failed: {export.failure}.",
                remedy="Ask again; `decision-ledger verify` tells whether the log holds.",
            )
        return export

    def fetch(self, export: Export, move: Move) -> None:
        """Fetch the archive, from where an earlier try ended; a few breaks are made good."""
        tries = 0
        with open_file(self.archive, "ab") as file:
            if file.tell() > export.archive_bytes:
                file.truncate(0)
            while (start := file.tell()) < export.archive_bytes:
                try:
                    for part in self._client.read_export(export.name, offset=start):
                        file.write(part.content)
                        move(file.tell(), part.archive_bytes)
                except UnreachableError:
                    tries = 1 if file.tell() > start else tries + 1
                    if tries == _TRIES:
                        raise
                    self._wait(tries * _POLL_SECONDS)

    def check_issued(self, export: Export, verdict: Report) -> None:
        """Raise IntegrityFailure unless the ledger records that it issued this very bundle.

        The digest covers all that lies under `data/`, also what no signature does.
        """
        assert verdict.bundle is not None
        at, digest = export.issued_position, verdict.bundle.manifest_digest
        found = list(self._client.list_events(after_position=at - 1, until_position=at))
        issued = found[0].data if found and found[0].type == ExportIssued.TYPE else {}
        if issued.get("manifest_digest") != digest:
            raise IntegrityFailure(
                f"The bundle is not the one that the event at position {at} says was issued: its "
                f"manifest has the digest {digest}.",
                f"Keep {self.archive} as evidence, and verify the log with `decision-ledger "
                "verify`.",
            )

    def forget(self) -> None:
        """Forget what was asked: the next command asks again."""
        self._asked.unlink(missing_ok=True)
        self.archive.unlink(missing_ok=True)

    def keep(self) -> None:
        """Put the verified bundle in its place."""
        if self._out.suffix == ".tar":
            self.archive.replace(self._out)
        else:
            unpacked = self._out.with_name(f"{self._out.name}.unpacking")
            shutil.rmtree(unpacked, ignore_errors=True)
            unpack(self.archive, unpacked)
            unpacked.rename(self._out)
        self.forget()


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a bundle's archive, which was verified, into a folder."""
    bundle = open_bundle(archive)
    for name in bundle.sizes:
        place = folder / name
        make_folder(place.parent)
        with bundle.open(name) as source, open_file(place) as target:
            shutil.copyfileobj(source, target)
