"""Facts for compliance: of a server, asked as any client would, or of a bundle."""

import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from ledger.client import LedgerClient
from ledger.client.inputs import micros_of_datetime
from ledger.compliance.facts import Fact, fact_of
from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.values import parse_time
from ledger.operations.failures import MisuseError

_EVENTS: Final = "data/events.jsonl"


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
                micros_of_datetime(event.recorded_at),
                event.body or None,
            )


class BundleFacts:
    """The facts of a bundle, a folder or a tar, as it lies there: `check_bundle` verifies it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.origin = ""
        for header, _ in self._lines():
            self.origin = header["ledger"]
            return
        raise MisuseError(f"{path} holds no events.", "Name a bundle that `export create` wrote.")

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all, in order of position."""
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
