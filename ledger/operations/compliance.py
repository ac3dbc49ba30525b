"""Compliance from Python: facts and explanations of a server or a bundle, and tables as files.

A server is asked as any client would; a bundle is read as it lies there, and `check_bundle`
verifies it. `ledger.compliance.questions.answer` answers questions from the same facts.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.client import LedgerClient, LedgerRefusedError, VerifiedCheckpoint
from ledger.client.inputs import micros_of_datetime
from ledger.compliance.answer_page import answers_page
from ledger.compliance.callers import callers_in_words
from ledger.compliance.decisions import Explainer
from ledger.compliance.facts import FactFilter, FactSource, unit_of_cost
from ledger.compliance.files import Form, ParquetMissingError, write_tables
from ledger.compliance.inquiry import STATES, Answer, Inquiry
from ledger.compliance.questions import answer_all
from ledger.compliance.report import tables_of
from ledger.compliance.tables import Table
from ledger.events import notation
from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.decisions import ScoreComputed
from ledger.events.facts import Fact, fact_of
from ledger.events.policies import DRAFTED_TYPES
from ledger.events.values import parse_time
from ledger.export.files import EVENTS, LINE_BYTES_MAX, SCOPE, BundleError, open_bundle, read_all
from ledger.export.scope import BundleScope, ScopeError
from ledger.operations import PROGRAM
from ledger.operations.explanation import changes
from ledger.operations.failures import MisuseError
from ledger.operations.places import named_checkpoint
from ledger.private import make_folder, write_whole


class ServerFacts:
    """The facts of a ledger on a server, up to its head at the first reading."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        ledger = client.get_ledger()
        self.origin = ledger.origin
        self.last_position = ledger.head_position
        self.is_whole = True

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all, in order of position."""
        found = self._client.list_events(
            until_position=self.last_position, types=sorted(types or ())
        )
        for event in found:
            yield fact_of(
                event.position,
                event.stream,
                event.type,
                micros_of_datetime(event.recorded_at),
                event.body or None,
                event.event_hash.hex(),
            )


class BundleFacts:
    """The facts of a bundle, a folder or a tar, as it lies there: `check_bundle` verifies it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.origin = ""
        scope = self._scope()
        self.last_position = scope.last_position
        self.is_whole = scope.is_from_start
        for header, *_ in self._lines():
            self.origin = header["ledger"]
            return
        raise MisuseError(f"{path} holds no events.", "Name a bundle that `export create` wrote.")

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all, in order of position."""
        for header, body, hash_ in self._lines():
            if types is None or header["type"] in types:
                yield fact_of(
                    header["position"],
                    header["stream"],
                    header["type"],
                    parse_time(header["recorded_at"]),
                    None if body is None else encode(body),
                    hash_,
                )

    def _lines(self) -> Iterator[tuple[dict[str, Any], Any, str]]:
        for number, line in enumerate(self._raw(), 1):
            try:
                value = decode(line.removesuffix(b"\n"))
                yield value["header"], value["body"], value["hash"]
            except (CanonicalError, KeyError, TypeError) as error:
                raise MisuseError(
                    f"{self._path}: line {number} of its events cannot be read: {error}.",
                    "Verify the bundle with `decision-ledger verify`.",
                ) from error

    def _scope(self) -> BundleScope:
        try:
            return BundleScope.parse(read_all(open_bundle(self._path), SCOPE))
        except (OSError, KeyError, ScopeError, BundleError) as error:
            raise MisuseError(f"{self._path} cannot be read as a bundle: {error}.") from error

    def _raw(self) -> Iterator[bytes]:
        try:
            bundle = open_bundle(self._path)
            if EVENTS not in bundle.sizes:
                return
            with bundle.open(EVENTS) as lines:
                while line := lines.readline(LINE_BYTES_MAX[EVENTS]):
                    yield line
        except (OSError, BundleError) as error:
            raise MisuseError(f"{self._path} cannot be read as a bundle: {error}.") from error


class ServerExplainer(Explainer):
    """Asks the server, as `decision explain` does."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client

    def why(self, decision: Fact) -> str:
        """Return the server's explanation; empty if it has none, since a body was erased, say."""
        model = decision.stream.partition("/")[2]
        name = f"models/{model}/decisions/{decision.position}"
        try:
            return self._client.explain_decision(name).explanation.paragraph
        except LedgerRefusedError:
            return ""


class BundleExplainer(Explainer):
    """Explains from the scores and policies of a bundle what the server would, without one."""

    types = (ScoreComputed.TYPE,)

    def __init__(self) -> None:
        self._drafted: dict[tuple[str, int], dict[str, Any]] = {}
        self._newest: dict[str, tuple[int, dict[str, Any]]] = {}

    def see(self, fact: Fact) -> None:
        """Keep policies as drafted, and each model's newest score: that of its next decision."""
        if fact.data is None:
            return
        if fact.type in DRAFTED_TYPES:
            self._drafted[fact.data["policy"], fact.data["version"]] = fact.data
        elif fact.type == ScoreComputed.TYPE:
            self._newest[fact.stream] = fact.position, fact.data

    def why(self, decision: Fact) -> str:
        """Return the explanation; empty where score or policy are not in the bundle."""
        from ledger.application.decisions.reasons import reason_of

        data = decision.data or {}
        drafted = self._drafted.get((data.get("policy", ""), data.get("policy_version", 0)))
        position, score = self._newest.get(decision.stream, (0, {}))
        if drafted is None or position != data.get("score_position"):
            return ""
        return reason_of(data, score, drafted)


@dataclass(frozen=True, slots=True)
class ComplianceFiles:
    """The files that a compliance export wrote."""

    origin: str
    files: tuple[str, ...]
    rows: dict[str, int]
    """Table → how many rows it has."""
    callers: tuple[str, ...]
    """Sentences about callers that were believed."""


def write_compliance(
    source: FactSource, explainer: Explainer, scope: FactFilter, folder: Path, form: Form
) -> tuple[ComplianceFiles, list[Table]]:
    """Write every table of the scope into a folder, made if need be; return files and tables.

    MisuseError where the folder cannot be written or the library for Parquet is not there.
    """
    tables = tables_of(source, scope, explainer)
    callers = callers_in_words(source, scope)
    facts = [
        ("Ledger", source.origin),
        ("Model", scope.model or "all"),
        ("Person or service", scope.actor or "all"),
        ("Recorded from", notation.time(scope.since) if scope.since else "the beginning"),
        ("Recorded before", notation.time(scope.until) if scope.until else "the head"),
        *(("Callers", sentence) for sentence in callers),
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
    files = tuple(map(str, paths))
    return ComplianceFiles(source.origin, files, rows, tuple(callers)), tables


def _extent(source: FactSource) -> str:
    """Return which events a source has, for the head of a page."""
    if source.is_whole:
        return f"1 to {source.last_position}"
    return f"some of those up to {source.last_position}"


def write_answers(source: FactSource, inquiry: Inquiry, path: Path) -> dict[str, Answer]:
    """Write every answer as one page, and return them; MisuseError where it cannot be written."""
    given = answer_all(source, inquiry)
    states = [one.state for one in given.values()]
    told = ", ".join(f"{states.count(state)} {state}" for state in STATES)
    facts = [
        ("Ledger", source.origin),
        ("Events", _extent(source)),
        ("Model", inquiry.model or "none was named"),
        ("Callers", " ".join(callers_in_words(source, FactFilter())) or "none was believed"),
        ("Program", PROGRAM),
        ("Questions", f"{len(given)}: {told}"),
    ]
    page = answers_page(
        given, title=f"Answers about {source.origin}", facts=facts, unit=unit_of_cost(source)
    )
    try:
        make_folder(path.parent)
        write_whole(path, page)
    except OSError as error:
        raise MisuseError(f"{path} cannot be written: {error.strerror}.") from error
    return given


class ServerLive:
    """The parts of an answer that need the server."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self.newest: VerifiedCheckpoint | None = None
        """The checkpoint of the server that was verified to compare with, if that was asked."""

    def prove_since(self, note: bytes) -> list[str]:
        """Return what comparing a checkpoint kept from earlier with the ledger shows.

        ForkError or ProofRefusedError if the ledger does not continue it.
        """
        origin = self._client.get_ledger().origin
        kept = named_checkpoint(note, origin, "The file of --checkpoint")
        joined = self._client.verify_consistency(kept.size, kept.root)
        newest = joined.checkpoint
        self.newest = newest
        by = ""
        if newest.witnesses:
            by = f", cosigned by {notation.cosigned_by(newest.witnesses, newest.cosigned_at)}"
        return [
            (
                f"Whole since then: the ledger's {newest.size} events begin with exactly the "
                f"{kept.size} of your checkpoint, shown by {len(joined.hashes)} hashes and a "
                f"checkpoint signed by {newest.verifier_key}{by}. An audit "
                "checks those events themselves."
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

    def counterfactuals(self, model: str, position: int) -> list[str]:
        """Return the smallest changes that would have changed a decision."""
        name = f"models/{model}/decisions/{position}"
        explained = self._client.explain_decision(name, with_grounds=True)
        found = changes(explained) or ["No change of a single value would have changed it."]
        if explained.grounds_missing:
            found.append(f"Reports and weights were not tried: {explained.grounds_missing}")
        return found
