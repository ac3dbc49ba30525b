"""Which keys count for a bundle's checkpoint: what `keys.json` says, and what the events say."""

from typing import Any

from ledger.chain.key_history import KEY_TYPES, KeyHistory, KeyHistoryError, KeySpan, parse_keys
from ledger.chain.keys import VerifierKey
from ledger.chain.link import Link
from ledger.events.canonical import decode
from ledger.export.files import CHECKPOINT, EVENTS, KEYS, BundleError


class BundleKeys:
    """The keys of a bundle; in a full one they are folded again from its events."""

    def __init__(self, data: bytes) -> None:
        try:
            self._spans = parse_keys(data)
        except KeyHistoryError as error:
            raise BundleError(KEYS, 0, error.why) from error
        self._data = data
        self._history = KeyHistory()

    def check_signer(self, key: VerifierKey, size: int) -> None:
        """Raise BundleError unless the ledger says that the key's signature counts at a size."""
        spans: list[KeySpan] = [span for span in self._spans if span.vkey == str(key)]
        if not spans:
            raise BundleError(KEYS, 0, f"the ledger never had the key {key}")
        if not any(span.covers(size) for span in spans):
            why = f"the signature of {key} does not count for a tree of {size} events"
            raise BundleError(CHECKPOINT, 0, why)

    def take(self, link: Link, line: int) -> None:
        """Take the next event of a full bundle."""
        if link.type not in KEY_TYPES or link.body is None:
            return
        data: Any = decode(link.body)["data"]
        try:
            self._history.apply(link.type, link.position, data)
        except KeyHistoryError as error:
            raise BundleError(EVENTS, line, error.why) from error

    def check_events(self) -> None:
        """Raise BundleError unless `keys.json` is what the events of a full bundle lead to."""
        if self._history.to_json() != self._data:
            raise BundleError(KEYS, 0, "it is not what the events say about the keys")
