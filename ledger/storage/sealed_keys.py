"""The signing keys of all ledgers, as they stand in the database: sealed, and never taken out.

Which of them signs is not written here: the ledger's own events say it.
"""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from ledger.chain.keys import KEY_BYTES, SecretKey
from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.storage.database import damaged, unavailable
from ledger.storage.schema import signing_keys
from ledger.storage.vault import NONCE_BYTES, Vault, VaultError


class SealedKeys:
    """Draws, seals and opens keys with the vault given, or with the one that belongs to the file.

    `default_file`: where the master key of a SQLite database is unless a vault is given. It is
    made when the first key of the database is sealed, and never again: a master key that is gone
    is an operator's business.
    """

    def __init__(
        self, vault: Vault | None, default_file: Path | None, clock: Clock, *, read_only: bool
    ) -> None:
        self._vault = vault
        self._default_file = default_file
        self._clock = clock
        self._read_only = read_only
        self._lock = threading.Lock()

    def under(self, vault: Vault) -> "SealedKeys":
        """Return what seals under another master key."""
        return SealedKeys(vault, None, self._clock, read_only=True)

    def draw(self, origin: str) -> SecretKey:
        """Return a fresh key of a ledger; nothing is kept."""
        return SecretKey(origin, self._clock.random_bytes(KEY_BYTES))

    def sealed(self, connection: Connection, key: SecretKey) -> bytes:
        """Return a key as it may be stored; STORE_UNAVAILABLE where there is no master key."""
        return self.vault(connection).seal(key, self._clock.random_bytes(NONCE_BYTES))

    def opened(self, connection: Connection, rows: Iterable[Any]) -> dict[str, SecretKey]:
        """Return the keys of rows with `vkey` and `secret`, by verifier key."""
        found = list(rows)
        if not found:
            return {}
        vault = self.vault(connection)
        return {row.vkey: _opened(vault, row) for row in found}

    def vault(self, connection: Connection) -> Vault:
        """Return the vault, which a database without any key may begin now.

        STORE_UNAVAILABLE where there is no master key.
        """
        with self._lock:
            if self._vault is None:
                self._vault = self._default_vault(connection)
            return self._vault

    def _default_vault(self, connection: Connection) -> Vault:
        path = self._default_file
        if path is None:
            raise unavailable(
                "This database needs a master key for its signing keys, and none is set.",
                remedy="Write 64 hex digits (`openssl rand -hex 32`) to a file that only the "
                "service may read, and name it with the setting `keys.file`; or put them into "
                "`keys.secret`. Every server of the database needs the same.",
                retry=False,
            )
        if self._read_only or path.exists() or _has_keys(connection):
            return Vault.from_file(path)
        return Vault.create_file(path, self._clock)


def keep_keys(connection: Connection, ledger_id: int, sealed: Mapping[str, bytes]) -> None:
    """Store sealed keys, given by verifier key, behind those that the ledger has."""
    newest = connection.execute(
        select(func.max(signing_keys.c.number)).where(signing_keys.c.ledger_id == ledger_id)
    ).scalar()
    rows = [
        {"ledger_id": ledger_id, "number": number, "vkey": vkey, "secret": secret}
        for number, (vkey, secret) in enumerate(sealed.items(), (newest or 0) + 1)
    ]
    connection.execute(signing_keys.insert(), rows)


def _has_keys(connection: Connection) -> bool:
    """Return whether any key was sealed before."""
    return connection.execute(select(signing_keys.c.vkey).limit(1)).first() is not None


def _opened(vault: Vault, row: Any) -> SecretKey:  # noqa: ANN401 - a row
    if type(row.vkey) is not str or type(row.secret) is not bytes:
        raise damaged("the row of a signing key cannot be read")
    try:
        return vault.unseal(row.vkey, row.secret)
    except VaultError as error:
        raise not_opened(row.vkey, str(error)) from error


def not_opened(vkey: str, why: str) -> LedgerError:
    """Return the refusal to work with a key that the master key does not open."""
    return unavailable(
        f"The signing key {vkey[:300]} cannot be used: {why}.",
        remedy="Start with the master key that this database was written with (`keys.file` or "
        "`keys.secret`); without it the ledger can be read and verified, but not signed.",
        retry=False,
    )
