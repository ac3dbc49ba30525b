"""The keys of one ledger: which of them sign and vouch for a tree of which size.

The state of a key is in the ledger's events and nowhere else; the secrets come from the store,
which keeps them sealed. A secret that the events have not brought in yet is that of the committed
next key, and signs nothing.
"""

import threading

from ledger.chain.key_history import KeyHistory, KeyHistoryError, vkey_digest
from ledger.chain.keys import SecretKey, VerifierKey
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.events.envelope import RecordedEvent
from ledger.storage.events import Events
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


class Keyring:
    """Reads a ledger's keys from its events and its vault. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info
        self._lock = threading.Lock()
        self._secrets: dict[str, SecretKey] = {}
        self._folded: tuple[list[RecordedEvent], KeyHistory] = [], KeyHistory()

    def history(self, events: Events | None = None, *, until: int | None = None) -> KeyHistory:
        """Return what the events say about keys; CHAIN_BROKEN where they contradict themselves.

        Events that are as they were when they were folded last are not folded again.
        """
        found = (events or self._store.events).key_events(self._info.origin, until=until)
        folded, history = self._folded
        if found == folded:
            return history
        history = KeyHistory()
        for event in found:
            try:
                history.apply(event.type, event.position, event.data)
            except KeyHistoryError as error:
                raise chain_broken(event.position, error.why) from error
        self._folded = found, history
        return history

    def signers(self, history: KeyHistory, size: int) -> list[SecretKey]:
        """Return the secrets that sign a tree of this size, the newest key's last.

        KEY_UNKNOWN where the ledger has none, SIGNING_STOPPED where a secret is not in the store.
        """
        wanted = [span.vkey for span in history.signers_at(size)]
        if not wanted:
            raise no_key(self._info.origin)
        return [self.secret(vkey) for vkey in wanted]

    def secret(self, vkey: str) -> SecretKey:
        """Return the secret behind a verifier key; SIGNING_STOPPED where it is not kept here."""
        found = self._all(vkey).get(vkey)
        if found is None:
            raise LedgerError(
                Reason.SIGNING_STOPPED,
                f"The secret of the key {vkey} is not in this database.",
                remedy="Restore the database that was used when the key was made.",
                metadata={"verifier_key": vkey},
            )
        return found

    def committed(self, history: KeyHistory) -> SecretKey:
        """Return the secret of the key that was committed to sign next."""
        digest = history.next_key_digest
        for _ in range(2):
            for vkey, key in self._all().items():
                if vkey_digest(vkey) == digest:
                    return key
            self.forget()  # another server may have drawn it
        raise LedgerError(
            Reason.SIGNING_STOPPED,
            "The secret of the key that was committed to sign next is not in this database.",
            remedy="Restore the database that was used when the key was made.",
        )

    def uncommitted(self, history: KeyHistory) -> SecretKey | None:
        """Return the key that waits for its first commitment, in a ledger older than those."""
        known = {str(key) for key in known_keys(history)}
        fresh = [key for vkey, key in self._all().items() if vkey not in known]
        return fresh[0] if fresh and history.next_key_digest is None else None

    def for_foreign_notes(self, history: KeyHistory) -> list[VerifierKey]:
        """Return every key that can have signed for this ledger: its own, and the next.

        For notes from elsewhere: a later state of this ledger may have been signed by the next key.
        """
        digest = history.next_key_digest
        return [
            *known_keys(history),
            *(key.verifier_key for vkey, key in self._all().items() if vkey_digest(vkey) == digest),
        ]

    def _all(self, vkey: str | None = None) -> dict[str, SecretKey]:
        """Return every secret, read again where a key is asked for that was not there before."""
        with self._lock:
            if not self._secrets or (vkey is not None and vkey not in self._secrets):
                self._secrets = self._store.keys.opened(self._info.origin)
            return dict(self._secrets)

    def forget(self) -> None:
        """Read the secrets again when next asked: one was added."""
        with self._lock:
            self._secrets = {}


def known_keys(history: KeyHistory) -> list[VerifierKey]:
    """Return every key that has signed or signs, by its first position."""
    return [VerifierKey.parse(span.vkey) for span in history.spans]


def no_key(origin: str) -> LedgerError:
    """Return the refusal to sign for a ledger without keys."""
    return LedgerError(
        Reason.KEY_UNKNOWN,
        f"The ledger {origin} has no key that signs.",
        remedy="A ledger that a bare recorder began is not signed; create it through the service.",
        metadata={"ledger": origin},
    )
