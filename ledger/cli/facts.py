"""Where the commands of compliance read from: a server, asked as any client would, or a bundle."""

import tarfile
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ledger.cli import output
from ledger.client import LedgerClient
from ledger.compliance.facts import Fact, fact_of
from ledger.events.values import SECOND, parse_time
from ledger.operations.failures import MisuseError

_EVENTS: Final = "data/events.jsonl"


def micros_of(time: datetime) -> int:
    """Return an aware time as microseconds since the epoch, exactly."""
    whole = int(time.replace(microsecond=0).timestamp())
    return whole * SECOND + time.microsecond


class ServerFacts:
    """The facts of a ledger on a server, up to its head at the first reading."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        ledger = client.get_ledger()
        self.origin = ledger.origin
        self.head = ledger.head_position

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all, in order of position."""
        found = self._client.list_events(until_position=self.head, types=sorted(types or ()))
        for event in found:
            yield fact_of(
                event.position,
                event.stream,
                event.type,
                micros_of(event.recorded_at),
                event.body or None,
            )


class ServerLive:
    """What only the server can do for an answer."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client

    def prove_since(self, note: bytes) -> list[str]:
        """Return what comparing a checkpoint kept from earlier with the ledger shows.

        ForkError or ProofRefusedError if the ledger does not continue it.
        """
        from ledger.chain.checkpoint import parse
        from ledger.chain.note import NoteError
        from ledger.chain.note import parse as parse_note
        from ledger.cli.trust import first_use_said

        try:
            kept = parse(parse_note(note).text)
        except NoteError as error:
            raise MisuseError(f"--checkpoint: that is none: {error}.", "Check the path.") from error
        origin = self._client.get_ledger().origin
        if kept.origin != origin:
            raise MisuseError(f"--checkpoint: it is of {kept.origin}, not {origin}.")
        joined = self._client.verify_consistency(kept.size, kept.root)
        newest = joined.checkpoint
        first_use_said(newest)
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


class BundleFacts:
    """The facts of an export bundle, a folder or a tar, as it lies there: see `verified_facts`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.origin = ""
        for header, _ in self._lines():
            self.origin = header["ledger"]
            return
        raise MisuseError(f"{path} holds no events.", "Name a bundle that `export create` wrote.")

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all, in order of position."""
        from ledger.events.canonical import encode

        for header, body in self._lines():
            if types is None or header["type"] in types:
                yield fact_of(
                    header["position"],
                    header["stream"],
                    header["type"],
                    parse_time(header["recorded_at"]),
                    None if body is None else encode(body),
                )

    def _lines(self) -> Iterator[tuple[dict[str, Any], Any]]:
        from ledger.events.canonical import CanonicalError, decode

        for number, line in enumerate(self._raw(), 1):
            try:
                value = decode(line.removesuffix(b"\n"))
                yield value["header"], value["body"]
            except (CanonicalError, KeyError, TypeError) as error:
                raise MisuseError(
                    f"{self._path}: line {number} of its events cannot be read: {error}.",
                    "Verify the bundle with `decision-ledger verify`.",
                ) from error

    def _raw(self) -> Iterator[bytes]:
        try:
            if self._path.is_dir():
                with (self._path / _EVENTS).open("rb") as lines:
                    yield from lines
                return
            with tarfile.open(self._path) as archive:
                for member in archive:
                    if member.name.partition("/")[2] == _EVENTS and (
                        opened := archive.extractfile(member)
                    ):
                        yield from opened
        except (OSError, tarfile.TarError) as error:
            raise MisuseError(f"{self._path} cannot be read as a bundle: {error}.") from error


def verified_facts(path: Path, vkeys: Sequence[str], policy: Path | None) -> BundleFacts:
    """Return the facts of a bundle that verifies; without key or policy, say that none was asked.

    IntegrityFailure names what does not hold.
    """
    from ledger.operations.trust import trusted
    from ledger.operations.verification.bundle import check_bundle

    given = trusted(vkeys, policy)
    facts = BundleFacts(path)
    if not given.is_empty:
        with output.progress("Verifying") as move:
            check_bundle(path, given, move)
    else:
        output.say(f"{path} was read unverified: verify it with --vkey or --witness-policy.")
    return facts
