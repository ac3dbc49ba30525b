"""A run, or a job of it, as one document in a form that others read."""

from typing import Final, Literal, NamedTuple

from ledger.application.jobs.refusals import job_refused
from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.keyring import Keyring
from ledger.chain.dsse import STATEMENT_TYPE, sealed
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.canonical import encode
from ledger.jobs.confidence import job_facts, report_bytes
from ledger.jobs.lineage import Lineage
from ledger.jobs.openlineage import openlineage_lines
from ledger.jobs.provenance import ProvenanceError, SignedHead, statement
from ledger.limits import MESSAGE_BYTES_MAX
from ledger.storage.records import LedgerInfo

RunForm = Literal["openlineage", "provenance", "report"]
_ROOM_BYTES: Final = 1_024  # of a message, for its other fields


class RunDocument(NamedTuple):
    """A document with its media type."""

    body: bytes
    media_type: str


class RunDocuments:
    """Makes the documents of one ledger's runs. Safe between threads."""

    def __init__(self, info: LedgerInfo, checkpoints: Checkpoints, keyring: Keyring) -> None:
        self._origin = info.origin
        self._checkpoints = checkpoints
        self._keyring = keyring

    def document(self, form: RunForm, lineage: Lineage, job: str) -> RunDocument:
        """Return a run in a form; LIMIT_REACHED where that is larger than a message.

        What is about one job needs its name, where the run has several.
        """
        if form == "openlineage":
            lines = openlineage_lines(lineage, self._origin)
            return _bounded(RunDocument(lines, "application/x-ndjson"), lineage, form)
        named = _job_of(lineage, job)
        if form == "report":
            report = report_bytes(
                job_facts(lineage, named), self._origin, is_whole=lineage.is_whole
            )
            return _bounded(RunDocument(report, "application/json"), lineage, form)
        return _bounded(self._provenance(lineage, named), lineage, form)

    def _provenance(self, lineage: Lineage, job: str) -> RunDocument:
        """Return a signed statement about what a job deployed; JOB_REFUSED where there is none.

        The head is signed first: nothing is stated of rows that are not what was recorded.
        """
        signed = self._checkpoints.sign()
        head = SignedHead(signed.size, signed.note)
        try:
            made = statement(lineage, job, self._origin, head)
        except ProvenanceError as error:
            raise job_refused(job, "attested", str(error)) from error
        keys = self._keyring.signers(self._keyring.history(), signed.size)
        body = sealed(encode(made), STATEMENT_TYPE, keys)
        return RunDocument(body, "application/vnd.dsse.envelope.v1+json")


def _job_of(lineage: Lineage, job: str) -> str:
    """Return the job that is meant: the one that is named, or the only one of the run."""
    if job or len(lineage.jobs) == 1:
        return job or lineage.jobs[0]
    raise invalid_field(
        "name",
        f"{lineage.run_id} has {len(lineage.jobs)} jobs, and this is about one",
        remedy="Name the job: models/MODEL/jobs/JOB.",
    )


def _bounded(made: RunDocument, lineage: Lineage, form: RunForm) -> RunDocument:
    if len(made.body) > MESSAGE_BYTES_MAX - _ROOM_BYTES:
        raise LedgerError(
            Reason.LIMIT_REACHED,
            f"{lineage.run_id} as {form} has {len(made.body)} bytes, and a message holds "
            f"{MESSAGE_BYTES_MAX}.",
            remedy="Read the run by pages: `decision-ledger run show`.",
            metadata={"run": lineage.run_id},
        )
    return made
