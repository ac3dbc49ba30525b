"""Which keys count for a bundle's checkpoint: what `keys.json` says, and what the events say."""

from ledger.chain.key_history import (
    KeyHistory,
    KeyHistoryError,
    check_overlap,
    check_vkey,
    parse_keys,
)
from ledger.chain.keys import VerifierKey
from ledger.chain.link import Link
from ledger.events.keys import KeyRevoked, KeyRotated
from ledger.events.system import LedgerCreated
from ledger.export.data import Data
from ledger.export.files import CHECKPOINT, EVENTS, KEYS, BundleError
from ledger.export.scope import FORMAT, Kind


class BundleKeys:
    """The keys of a bundle. In a full one they are folded again from its events.

    Of a part, each event that names a key is held to what it says itself, and `keys.json` to the
    revocations that are there.
    """

    def __init__(self, data: bytes, kind: Kind, origin: str) -> None:
        try:
            self._spans = parse_keys(data, origin)
        except KeyHistoryError as error:
            raise BundleError(KEYS, 0, error.why) from error
        self._data = data
        self._is_whole = kind == "full"
        self._origin = origin
        self._history = KeyHistory()
        self._named: set[str] = set()
        self._ends: dict[str, int] = {}

    def check_signer(self, key: VerifierKey, size: int) -> None:
        """Raise BundleError unless the ledger says that the key's signature counts at a size."""
        spans = [span for span in self._spans if span.vkey == str(key)]
        if not spans:
            raise BundleError(KEYS, 0, f"the ledger never had the key {key}")
        if not any(span.covers(size) for span in spans):
            why = f"the signature of {key} does not count for a tree of {size} events"
            raise BundleError(CHECKPOINT, 0, why)

    def take(self, link: Link, data: Data, line: int) -> None:
        """Take the next event whose data is read."""
        if link.type == LedgerCreated.TYPE:
            told = (link.position, data["format"], data["origin"])
            if told != (1, FORMAT, self._origin):
                why = f"a ledger is created once, at position 1, as {self._origin} of {FORMAT}"
                raise BundleError(EVENTS, line, why)
        try:
            if self._is_whole:
                self._history.apply(link.type, link.position, data)
            else:
                self._take_part(link, data)
        except KeyHistoryError as error:
            raise BundleError(EVENTS, line, error.why) from error

    def _take_part(self, link: Link, data: Data) -> None:
        """Hold an event to what can be said of it without those before."""
        if link.type == KeyRevoked.TYPE:
            last = data["from_position"] - 1
            self._ends[data["vkey"]] = min(last, self._ends.get(data["vkey"], last))
            return
        if link.type == KeyRotated.TYPE:
            check_overlap(link.position, data["from_position"], data["previous_until_position"])
        if "vkey" in data:
            check_vkey(link.position, data["vkey"], self._origin)
            if data["vkey"] in self._named:
                raise KeyHistoryError(link.position, "a key comes back")
            self._named.add(data["vkey"])

    def check_events(self) -> None:
        """Raise BundleError unless `keys.json` agrees with the events."""
        if self._is_whole and self._history.to_json() != self._data:
            raise BundleError(KEYS, 0, "it is not what the events say about the keys")
        for span in self._spans:
            end = self._ends.get(span.vkey)
            if end is not None and (span.until_position is None or span.until_position > end):
                raise BundleError(KEYS, 0, f"{span.vkey} was revoked, and counts up to {end} only")
