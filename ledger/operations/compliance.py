"""Compliance tables as files, and what only a server can add to an answer.

The questions are answered by `ledger.compliance.questions.answer`, from the facts of `facts.py`.
"""

from dataclasses import dataclass
from pathlib import Path

from ledger.chain.checkpoint import parse
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.client import LedgerClient, VerifiedCheckpoint
from ledger.compliance.decisions import Explainer
from ledger.compliance.facts import FactFilter, FactSource, unit_of_cost
from ledger.compliance.files import Form, ParquetMissingError, write_tables
from ledger.compliance.report import MISSING, tables_of
from ledger.compliance.tables import Table
from ledger.events import notation
from ledger.operations.failures import MisuseError


@dataclass(frozen=True, slots=True)
class ComplianceFiles:
    """What a compliance export wrote."""

    origin: str
    files: tuple[str, ...]
    rows: dict[str, int]
    """Table → how many rows it has."""


def write_compliance(
    source: FactSource, explainer: Explainer, scope: FactFilter, folder: Path, form: Form
) -> tuple[ComplianceFiles, list[Table]]:
    """Write every table of the scope into a folder, made if need be; return files and tables.

    MisuseError where the folder cannot be written or the library for Parquet is not there.
    """
    tables = tables_of(source, scope, explainer)
    facts = [
        ("Ledger", source.origin),
        ("Model", scope.model or "all"),
        ("Person or service", scope.actor or "all"),
        ("Recorded from", notation.time(scope.since) if scope.since else "the beginning"),
        ("Recorded before", notation.time(scope.until) if scope.until else "the head"),
        ("Not recorded", MISSING),
    ]
    title, unit = f"Compliance export of {source.origin}", unit_of_cost(source)
    try:
        paths = write_tables(tables, folder, form, title=title, facts=facts, unit=unit)
    except ParquetMissingError as error:
        raise MisuseError(
            str(error), "Install the extra: pip install 'decision-ledger[parquet]'."
        ) from error
    except OSError as error:
        raise MisuseError(f"{folder} cannot be written: {error.strerror}.") from error
    rows = {table.name: len(table.rows) for table in tables}
    return ComplianceFiles(source.origin, tuple(map(str, paths)), rows), tables


class ServerLive:
    """What only the server can do for an answer."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self.newest: VerifiedCheckpoint | None = None
        """The checkpoint of the server that was verified to compare with, if that was asked."""

    def prove_since(self, note: bytes) -> list[str]:
        """Return what comparing a checkpoint kept from earlier with the ledger shows.

        ForkError or ProofRefusedError if the ledger does not continue it.
        """
        try:
            kept = parse(parse_note(note).text)
        except NoteError as error:
            raise MisuseError(f"--checkpoint: that is none: {error}.", "Check the path.") from error
        origin = self._client.get_ledger().origin
        if kept.origin != origin:
            raise MisuseError(f"--checkpoint: it is of {kept.origin}, not {origin}.")
        joined = self._client.verify_consistency(kept.size, kept.root)
        newest = joined.checkpoint
        self.newest = newest
        by = f", cosigned by {', '.join(newest.witnesses)}" if newest.witnesses else ""
        return [
            (
                f"Whole since then: the ledger's {newest.size} events begin with exactly the "
                f"{kept.size} of your checkpoint, shown by {len(joined.hashes)} hashes and a "
                f"checkpoint signed by {newest.verifier_key}{by}. What those events say, an audit "
                "checks."
            )
        ]

    def replayed(self, model: str, position: int) -> list[str]:
        """Return what replaying a decision gives."""
        result = self._client.replay(f"models/{model}/decisions/{position}")
        said = [f"Computed again on the server: {result.outcome.value}."]
        if result.why:
            said.append(result.why)
        said += [
            f"{one.path}: recorded {one.recorded}, recomputed {one.recomputed}"
            for one in result.differences
        ]
        return said

    def flips(self, model: str, position: int) -> list[str]:
        """Return the smallest changes that would have changed a decision."""
        explained = self._client.explain_decision(f"models/{model}/decisions/{position}")
        found = [boundary.sentence for boundary in explained.explanation.boundaries]
        return found or ["No change of a single value would have changed it."]
