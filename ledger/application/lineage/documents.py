"""A run, or a job of it, as one document in a form that others read."""

from typing import Literal, NamedTuple

from ledger.errors import LedgerError, Reason
from ledger.jobs.lineage import Lineage
from ledger.jobs.openlineage import openlineage_lines
from ledger.limits import MESSAGE_BYTES_MAX
from ledger.storage.records import LedgerInfo

RunForm = Literal["openlineage"]
_ROOM_BYTES = 1_024  # of a message, for its other fields


class RunDocument(NamedTuple):
    """A document with its media type."""

    body: bytes
    media_type: str


class RunDocuments:
    """Makes the documents of one ledger's runs. Safe between threads."""

    def __init__(self, info: LedgerInfo) -> None:
        self._origin = info.origin

    def document(self, form: RunForm, lineage: Lineage) -> RunDocument:
        """Return a run in a form; LIMIT_REACHED where that is larger than a message."""
        made = RunDocument(openlineage_lines(lineage, self._origin), "application/x-ndjson")
        if len(made.body) > MESSAGE_BYTES_MAX - _ROOM_BYTES:
            raise LedgerError(
                Reason.LIMIT_REACHED,
                f"{lineage.run_id} as {form} has {len(made.body)} bytes, and a message holds "
                f"{MESSAGE_BYTES_MAX}.",
                remedy="Read the run by pages (`run show`), or name one job of it.",
                metadata={"run": lineage.run_id},
            )
        return made
